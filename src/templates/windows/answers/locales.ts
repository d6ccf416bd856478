/** Language identifiers of [MS-LCID], as far as the answer files of before Windows Vista need them: they know no names. */
const identifiers: Readonly<Record<string, string>> = {
	"cs-CZ": "0405",
	"da-DK": "0406",
	"de-AT": "0c07",
	"de-CH": "0807",
	"de-DE": "0407",
	"el-GR": "0408",
	"en-AU": "0c09",
	"en-CA": "1009",
	"en-GB": "0809",
	"en-IE": "1809",
	"en-US": "0409",
	"es-ES": "0c0a",
	"es-MX": "080a",
	"fi-FI": "040b",
	"fr-BE": "080c",
	"fr-CA": "0c0c",
	"fr-CH": "100c",
	"fr-FR": "040c",
	"hu-HU": "040e",
	"it-CH": "0810",
	"it-IT": "0410",
	"ja-JP": "0411",
	"ko-KR": "0412",
	"nb-NO": "0414",
	"nl-BE": "0813",
	"nl-NL": "0413",
	"pl-PL": "0415",
	"pt-BR": "0416",
	"pt-PT": "0816",
	"ro-RO": "0418",
	"ru-RU": "0419",
	"sk-SK": "041b",
	"sv-SE": "041d",
	"tr-TR": "041f",
	"zh-CN": "0804",
	"zh-TW": "0404",
};

/** @returns four hexadecimal digits, or undefined for a language that is not in the table */
export function languageIdentifier(language: string): string | undefined {
	return identifiers[language];
}

/** What Windows calls the account of its Administrator where it does not call it that (its SID ends in -500 everywhere). */
const administrators: Readonly<Record<string, string>> = {
	es: "Administrador",
	fi: "Järjestelmänvalvoja",
	fr: "Administrateur",
	hu: "Rendszergazda",
	pt: "Administrador",
	ru: "Администратор",
	sv: "Administratör",
};

/** Logging on by itself needs the account's real name, which the installation medium's language decides. */
export function administratorName(language: string): string {
	return administrators[language.split("-")[0] ?? ""] ?? "Administrator";
}
