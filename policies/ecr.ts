/** Policies of the ECR repository of the image. */
import { documentOf, type PolicyDocument } from "./types.js";

/** Expires all images except the newest `keepImages`. */
export function lifecyclePolicy(keepImages: number) {
  return {
    rules: [
      {
        rulePriority: 1,
        description: `Keep ${keepImages} images`,
        selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: keepImages },
        action: { type: "expire" },
      },
    ],
  };
}

/** Allows other accounts to pull images. */
export const pullPolicy = (partition: string, accounts: readonly string[]): PolicyDocument =>
  documentOf([
    {
      Sid: "Pull",
      Effect: "Allow",
      Principal: { AWS: accounts.map((account) => `arn:${partition}:iam::${account}:root`) },
      Action: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    },
  ]);
