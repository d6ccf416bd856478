/** One thing wrong in a site: where, and in words what and how to mend it. */
export interface Problem {
	path: (string | number)[];
	message: string;
}
