import { expect, test } from "vitest";
import { EmulatedAws } from "../../../scripts/emulation/emulatedAws.js";
import { emptyMoto } from "../../moto.js";
import { changed } from "../../program/stacks.js";

test("an error at the creation of a resource names the resource, the error and its message", async () => {
  const { url } = await emptyMoto();
  const evaluation = await changed("dev");
  const aws = new EmulatedAws(url);
  await aws.create(evaluation, evaluation.settings.targetAccounts);
  await expect(aws.create(evaluation, evaluation.settings.targetAccounts)).rejects.toThrow(
    /^dev\/oidc\/.*: the emulated AWS cannot create it \(EntityAlreadyExistsException: /,
  );
});
