import { spawn } from "node:child_process";

/** Makes the host busy: `processes` that each use a processor, about two thirds of the time, in bursts of a second. */
export function loadHost(processes: number): Disposable {
	const burn = "while :; do timeout 1 sh -c 'while :; do :; done'; sleep 0.5; done";
	const children = Array.from({ length: processes }, () =>
		spawn("sh", ["-c", burn], { stdio: "ignore", detached: true }),
	);
	return {
		[Symbol.dispose]: () => {
			for (const { pid } of children) if (pid !== undefined) process.kill(-pid, "SIGKILL");
		},
	};
}
