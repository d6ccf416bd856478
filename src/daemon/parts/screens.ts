import type { Seen } from "../../api/screen.ts";
import { type LookedPicture, ReadingTooLong, type ScreenReader } from "./screen-reader.ts";

/** How often a screen is looked at, milliseconds: a picture costs QEMU and this process some time. */
const everyMs = {
	usually: 3000,
	/** Nothing but a clock has moved since the last look. */
	still: 5000,
	/** Nothing on the guest's processors answers: what stands on its screen says why. */
	suspicious: 1000,
} as const;

/**
 * A look rests for so many times what reading took, so that no guest takes more than a twentieth of the reader's time; a
 * tenth at the worst, as what was seen longer ago than fifteen seconds says nothing of now.
 */
const restFactor = 20;
const longestRestMs = 10_000;
/** So long a look at a session waits for its screen; what is seen later is told with the next one. Milliseconds. */
const patienceMs = 100;
/** So long evidence waits for it. */
const nowWithinMs = 1500;
/** So long it waits for those of other guests. */
const turnWithinMs = 2000;

/** Looks at the screen of one session. */
export interface Screens {
	/**
	 * @param suspicious whether the guest gives reason to look sooner
	 * @returns what stands on it; undefined when it was looked at a moment ago, is being looked at, or cannot be seen. Never
	 *   throws, and takes a tenth of a second at most
	 */
	look(suspicious: boolean): Promise<Seen | undefined>;
	/** Looks at once, within a second and a half. */
	lookNow(): Promise<Seen | undefined>;
}

/** For servers whose screens tell nothing. */
export const noScreens: Screens = { look: async () => undefined, lookNow: async () => undefined };

/** Has pictures taken, and what is on them recognised; one at a time. */
export class RecognisedScreens implements Screens {
	private readonly picture: () => Promise<Buffer>;
	private readonly reader: Pick<ScreenReader, "read">;
	private readonly now: () => number;
	/** The picture that was recognised last. */
	private last: LookedPicture | undefined;
	private lookedAt = Number.NEGATIVE_INFINITY;
	private restsUntil = Number.NEGATIVE_INFINITY;
	private isStill = false;
	private looking: Promise<Seen | undefined> | undefined;
	/** What was seen when nobody waited for it any more. */
	private untold: Seen | undefined;

	/**
	 * @param picture takes a picture of the screen, as PPM; of a session that may be captured
	 * @param now milliseconds since an arbitrary moment
	 */
	constructor(
		picture: () => Promise<Buffer>,
		reader: Pick<ScreenReader, "read">,
		now: () => number = () => performance.now(),
	) {
		this.picture = picture;
		this.reader = reader;
		this.now = now;
	}

	async look(suspicious: boolean): Promise<Seen | undefined> {
		const { untold } = this;
		this.untold = undefined;
		if (untold || !this.isDue(suspicious)) return untold;
		const looking = this.begin();
		const seen = await within(looking, patienceMs);
		if (seen !== "late") return seen;
		void looking.then((late) => {
			this.untold = late;
		});
		return undefined;
	}

	async lookNow(): Promise<Seen | undefined> {
		const seen = await within(this.begin(), nowWithinMs);
		return seen === "late" ? undefined : seen;
	}

	private isDue(suspicious: boolean): boolean {
		const now = this.now();
		const from = this.lookedAt + everyMs[suspicious ? "suspicious" : this.isStill ? "still" : "usually"];
		return !this.looking && now >= Math.max(from, this.restsUntil);
	}

	private async begin(): Promise<Seen | undefined> {
		this.looking ??= this.takeIn().finally(() => {
			this.looking = undefined;
		});
		return await this.looking;
	}

	private async takeIn(): Promise<Seen | undefined> {
		this.lookedAt = this.now();
		const { last } = this;
		this.last = undefined;
		this.isStill = false;
		try {
			const picture = ownBytes(await this.picture());
			const { looked, still, tookMs } = await this.reader.read(
				picture,
				last,
				AbortSignal.timeout(turnWithinMs),
			);
			this.last = looked;
			this.isStill = still;
			this.rest(tookMs);
			return looked.seen;
		} catch (error) {
			// A QEMU that takes no picture, or a broken one, is noticed by other signs when something is wrong with it.
			if (error instanceof ReadingTooLong) this.rest(error.afterMs);
			return undefined;
		}
	}

	private rest(tookMs: number): void {
		this.restsUntil = this.now() + Math.min(longestRestMs, restFactor * tookMs);
	}
}

/** @returns the same bytes in memory of their own, which can be handed over; copied only where they share it */
function ownBytes({ buffer, byteOffset, length }: Buffer): Uint8Array<ArrayBuffer> {
	if (buffer instanceof ArrayBuffer && byteOffset === 0 && length === buffer.byteLength)
		return new Uint8Array(buffer);
	return new Uint8Array(new Uint8Array(buffer, byteOffset, length));
}

async function within<T>(work: Promise<T>, ms: number): Promise<T | "late"> {
	const { promise, resolve } = Promise.withResolvers<"late">();
	const timer = setTimeout(() => resolve("late"), ms);
	try {
		return await Promise.race([work, promise]);
	} finally {
		clearTimeout(timer);
	}
}
