import { expect, test } from "vitest";
import { connectingIn, forgettingOf, talkingIn } from "./farewell.ts";

test("who is connected, and who has just asked, is told; who is about to connect, or was answered a while ago, is not", () => {
	const text = [
		"tcp      6 431999 ESTABLISHED src=192.0.2.7 dst=10.77.0.10 sport=40000 dport=389 src=10.77.0.10 dst=192.0.2.7 sport=389 dport=40000 [ASSURED] mark=0 use=1",
		"tcp      6 119 SYN_SENT src=192.0.2.7 dst=10.77.0.10 sport=40001 dport=389 [UNREPLIED] src=10.77.0.10 dst=192.0.2.7 sport=389 dport=40001 mark=0 use=1",
		"udp      17 29 src=192.0.2.7 dst=10.77.0.10 sport=40002 dport=53 [UNREPLIED] src=10.77.0.10 dst=192.0.2.7 sport=53 dport=40002 mark=0 use=1",
		"udp      17 12 src=192.0.2.7 dst=10.77.0.10 sport=40003 dport=53 [UNREPLIED] src=10.77.0.10 dst=192.0.2.7 sport=53 dport=40003 mark=0 use=1",
		"udp      17 29 src=192.0.2.7 dst=10.77.0.10 sport=40004 dport=53 src=10.77.0.10 dst=192.0.2.7 sport=53 dport=40004 mark=0 use=1",
		"udp      17 27 src=192.0.2.7 dst=10.77.0.10 sport=40006 dport=53 src=10.77.0.10 dst=192.0.2.7 sport=53 dport=40006 mark=0 use=1",
		"udp      17 119 src=192.0.2.7 dst=10.77.0.10 sport=40007 dport=53 src=10.77.0.10 dst=192.0.2.7 sport=53 dport=40007 [ASSURED] mark=0 use=1",
		"tcp      6 300 ESTABLISHED src=2001:db8::7 dst=fd00:77::10 sport=40005 dport=389 src=fd00:77::10 dst=2001:db8::7 sport=389 dport=40005 mark=0 use=1",
		"icmp     1 29 src=192.0.2.7 dst=10.77.0.10 type=8 code=0 id=1 src=10.77.0.10 dst=192.0.2.7 type=0 code=0 id=1 mark=0 use=1",
		"",
	].join("\n");
	expect(talkingIn(text)).toEqual([
		"tcp 192.0.2.7 40000 10.77.0.10 389",
		"udp 192.0.2.7 40002 10.77.0.10 53",
		"udp 192.0.2.7 40004 10.77.0.10 53",
		"tcp 2001:db8::7 40005 fd00:77::10 389",
	]);
});

test("who is about to connect is told where another does the same work; not who has tried for long", () => {
	const connecting = (state: string, seconds: number, port: number) =>
		`tcp      6 ${seconds} ${state} src=192.0.2.7 dst=10.77.0.10 sport=${port} dport=389 [UNREPLIED] src=10.77.0.10 dst=192.0.2.7 sport=389 dport=${port} mark=0 use=1`;
	const text = [
		connecting("SYN_SENT", 119, 40000),
		connecting("SYN_SENT", 110, 40001),
		connecting("ESTABLISHED", 119, 40002),
		connecting("SYN_RECV", 59, 40003),
	].join("\n");
	expect(connectingIn(text)).toEqual(["syn 192.0.2.7 40000 10.77.0.10 389"]);
});

test("what is forgotten is that connection and no other", () => {
	expect(forgettingOf("tcp 192.0.2.7 40000 10.77.0.10 389\ntcp 2001:db8::7 40005 fd00:77::10 389\n")).toBe(
		[
			"-D -f ipv4 -p tcp --state ESTABLISHED -s 192.0.2.7 -d 10.77.0.10 --sport 40000 --dport 389",
			"-D -f ipv6 -p tcp --state ESTABLISHED -s 2001:db8::7 -d fd00:77::10 --sport 40005 --dport 389",
			"",
		].join("\n"),
	);
	expect(forgettingOf("")).toBe("");
});
