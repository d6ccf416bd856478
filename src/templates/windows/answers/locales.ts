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

/** What a Windows Server calls the account of its Administrator where it does not call it that (its SID ends in -500 everywhere). */
const administrators: Readonly<Record<string, string>> = {
	es: "Administrador",
	fi: "Järjestelmänvalvoja",
	fr: "Administrateur",
	hu: "Rendszergazda",
	pt: "Administrador",
	ru: "Администратор",
	sv: "Administratör",
};

/**
 * Who logs on by himself.
 *
 * In a client the built-in account is disabled, and "only the English word will automatically enable the account", whatever
 * it is called there (Microsoft, "Microsoft-Windows-Shell-Setup | AutoLogon | Username").
 *
 * In a server it is enabled as it is, and the same page advises the language-neutral name for images of several languages
 * only. Of one language, the name is taken as the account's own: so do builds of French servers 2012 R2 to 2019 from
 * Microsoft's media (puppetlabs/puppetlabs-packer, templates/win/2019-fr: Administrateur).
 * @param language the installation medium's
 */
export function administratorName(kind: "client" | "server", language: string): string {
	if (kind === "client") return "Administrator";
	return administrators[language.split("-")[0] ?? ""] ?? "Administrator";
}
