/** What a record has by a name that people chose; not what every object has by it, as by `constructor`. */
export function named<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
	return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}
