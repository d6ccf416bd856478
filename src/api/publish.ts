import { z } from "zod";
import { publishedView } from "./server.ts";
import { publishSchema } from "./site.ts";
import { strict } from "./strict.ts";

/** What is to be published: as an entry of a site file's `publish:`. */
export const publishBody = publishSchema;

/** Which service is to be published no more; `listen` where one is published at several ports. */
export const unpublishBody = strict({
	service: publishSchema.shape.service,
	listen: publishSchema.shape.listen,
});

/** What was published, or is no more. */
export const publishingView = z.object({
	server: z.string(),
	published: publishedView,
	/** What a site file has to say from now on, or no more: the next apply of one that differs takes it back. */
	siteFile: z.object({
		/** Where, such as `servers.intranet.publish`. */
		under: z.string(),
		/** A line of YAML, such as `- { service: http, to: host }`. */
		line: z.string(),
	}),
});
export type PublishingView = z.infer<typeof publishingView>;
