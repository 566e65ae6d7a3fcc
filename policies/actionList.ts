/**
 * Reads action patterns written one service after the other, separated by line breaks or semicolons:
 * `ec2 Describe* Get*; s3 List*` is `ec2:Describe*`, `ec2:Get*` and `s3:List*`.
 */
export function actionList(text: string): readonly string[] {
  return text.split(/[;\n]/).flatMap((line) => {
    const [service, ...names] = line.trim().split(/\s+/);
    return names.map((name) => `${service}:${name}`);
  });
}
