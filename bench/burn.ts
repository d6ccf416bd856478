const answersWithinMs = 30_000;

/**
 * Has a guest of the template tiny go wild: cpu, disk, forks or memory.
 * @param port of the host at which its http is published
 * @throws Error when it does not say that it does
 */
export async function burn(port: number, kind: string): Promise<void> {
	const page = `http://127.0.0.1:${port}/cgi-bin/burn?what=${kind}`;
	// A POST: nobody sends that a second time to the next session.
	const response = await fetch(page, { method: "POST", signal: AbortSignal.timeout(answersWithinMs) });
	const said = (await response.text()).trim();
	if (response.status !== 200 || said !== `burning ${kind}`)
		throw new Error(`the guest does not burn ${kind}: it answered ${response.status} ${said.slice(0, 200)}`);
}
