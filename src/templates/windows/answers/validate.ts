import type { Installation, Pass } from "./answer.ts";
import { forSevenAlone, longest, onlyIn, reference, type Shape, unknownToSeven } from "./reference.ts";
import type { Element } from "./xml.ts";

/** Setup goes through them in this order, and wants the file to have it too. */
const passOrder: readonly Pass[] = ["windowsPE", "offlineServicing", "specialize", "oobeSystem"];
const identity = { publicKeyToken: "31bf3856ad364e35", language: "neutral", versionScope: "nonSxS" };

/**
 * What is wrong with an answer file by Microsoft's reference: passes, components, settings, the numbers of lists.
 * @returns one sentence for each, with the way to it; none when it is as documented
 */
export function answerFileProblems(
	root: Element,
	{ facts, version }: Pick<Installation, "facts" | "version">,
): string[] {
	const passes = childrenOf(root);
	const names = passes.map(({ attributes }) => attributes.pass ?? "");
	const wanted = passOrder.filter((pass) => names.includes(pass));
	return [
		...(root.name === "unattend" ? [] : [`the outermost element is ${root.name}, not unattend`]),
		...(names.join() === wanted.join() ? [] : [`the passes are ${names.join(", ")}`]),
		...passes.flatMap((pass, index) =>
			childrenOf(pass).flatMap((one) => componentProblems(one, names[index] as Pass, facts.architecture)),
		),
		...(version === "windows-7" ? [] : deprecated(root)),
		...(version === "windows-7" || version === "windows-server-2008-r2" ? sevenProblems(root) : []),
	];
}

function childrenOf({ content }: Element): readonly Element[] {
	return typeof content === "string" ? [] : content;
}

function componentProblems(one: Element, pass: Pass, architecture: string): string[] {
	const name = one.attributes.name ?? "";
	const known = reference[name];
	const where = `${pass}, ${name}`;
	if (one.name !== "component" || !known) return [`${where}: there is no such component`];
	const words = { ...identity, processorArchitecture: architecture };
	return [
		...(known.passes.includes(pass) ? [] : [`${where}: it is not in this pass`]),
		...Object.entries(words)
			.filter(([key, value]) => one.attributes[key] !== value)
			.map(([key, value]) => `${where}: ${key} is not ${value}`),
		...childrenOf(one)
			.filter(({ name: setting }) => (onlyIn[setting] ?? pass) !== pass)
			.map(({ name: setting }) => `${where}: ${setting} is not in this pass`),
		...settingProblems(one, known.settings, where),
	];
}

function settingProblems(parent: Element, shape: Shape, where: string): string[] {
	const children = childrenOf(parent);
	return [
		...orderProblems(children, where),
		...children.flatMap((child) => {
			const inside = `${where}/${child.name}`;
			const below = shape[child.name];
			if (below === undefined) return [`${inside}: there is no such setting`];
			if (below !== "leaf") return settingProblems(child, below, inside);
			if (typeof child.content !== "string") return [`${inside}: it holds a value, not settings`];
			const most = longest[`${parent.name}/${child.name}`] ?? Number.POSITIVE_INFINITY;
			return child.content.length > most ? [`${inside}: it is longer than ${most} characters`] : [];
		}),
	];
}

/** Items of a list are numbered from 1, by `Order` or by the key of the item; others occur once. */
function orderProblems(children: readonly Element[], where: string): string[] {
	const items = children.filter(({ attributes }) => attributes["wcm:action"] === "add");
	const numbers = items.map(
		(one) =>
			childrenOf(one).find(({ name }) => name === "Order")?.content ?? one.attributes["wcm:keyValue"] ?? "",
	);
	const numbered = numbers.some((number) => number !== "");
	const singles = children.filter((child) => !items.includes(child)).map(({ name }) => name);
	return [
		...(numbered && numbers.some((number, index) => number !== String(index + 1))
			? [`${where}: its items are numbered ${numbers.join(", ")}`]
			: []),
		...singles
			.filter((name, index) => singles.indexOf(name) !== index)
			.map((name) => `${where}/${name}: it is there twice`),
	];
}

function sevenProblems(root: Element): string[] {
	const names = (unknownToSeven as readonly string[]).filter((name) => has(root, name));
	return names.map((name) => `${name}: Windows 7 and Windows Server 2008 R2 do not know it`);
}

function deprecated(root: Element): string[] {
	const names = (forSevenAlone as readonly string[]).filter((name) => has(root, name));
	return names.map((name) => `${name}: it is deprecated, and for testing only`);
}

function has(one: Element, name: string): boolean {
	return one.name === name || childrenOf(one).some((child) => has(child, name));
}
