import type { ServerView } from "../api/server.ts";
import { Activity } from "./activity.ts";
import type { Context } from "./context.ts";
import { type Wait, waitFor } from "./wait.ts";

/**
 * Asks the daemon for something and waits until the server has got there, showing what it waits for.
 * @param wait undefined when nobody wants to wait
 * @returns the server as it was last seen
 */
export async function actAndWait(
	context: Context,
	server: string,
	doing: string,
	act: () => Promise<ServerView>,
	wait: Omit<Wait, "onLook"> | undefined,
): Promise<ServerView> {
	using activity = new Activity(context.terminal, `${server}: ${doing}`, context.json);
	const asked = await act();
	if (!wait) return asked;
	const onLook = (view: ServerView) => activity.update(`${server}: ${view.state}`);
	return await waitFor(context, server, { ...wait, onLook });
}
