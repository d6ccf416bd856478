import { expect, test } from "vitest";
import { accelerationCheck } from "./checks.ts";

test("that nobody knows whether KVM works is said apart from that it does not", () => {
	const why = "the processor has virtualization, but KVM could not be tried (3 times): no room";
	expect(accelerationCheck({ accelerator: "tcg", why, isKnown: false })).toMatchObject({
		...{ level: "note", found: `not known: ${why}` },
		mend: expect.stringMatching(/restart a daemon/),
	});
	expect(accelerationCheck({ accelerator: "tcg", why: "no", isKnown: true })).toMatchObject({
		...{ level: "note", found: "TCG (slow): no" },
	});
	expect(accelerationCheck({ accelerator: "kvm", why: "it ran", isKnown: true })).toMatchObject({
		level: "ok",
	});
});
