// What ids are called, and where statements come from.

import { list } from "./api.js";
import { h, t } from "./dom.js";
import { known } from "./state.js";

export const short = (label) => label.split(" (")[0];
export const conditionLabel = (id) => known.conditions.get(id)?.label ?? id.replaceAll("_", " ");

/** A finding by its label; any other word without its underscores. */
export function wordOf(id) {
	const plain = id.replaceAll("_", " ").replace(":", ": ");
	return known.findings.get(id)?.label ?? plain[0].toUpperCase() + plain.slice(1);
}

/** Treatment -> its status in an answer. */
export const entryStates = (answer) =>
	new Map(
		answer.treatment_ladder.rungs.flatMap(({ entries }) => entries).map(({ treatment, status }) => [treatment, status]),
	);

/** Source keys as links; the addresses are asked for when they are first needed. */
export function sources({ references = [] }) {
	const place = h(
		"span",
		{ class: "sources" },
		references.map((key) => h("span", { class: "source" }, name(key))),
	);
	if (references.length) {
		list("references").then(
			(items) => {
				const found = new Map(items.map((item) => [item.id, item]));
				place.replaceChildren(...references.map((key) => source(key, found.get(key), name(key))));
			},
			() => {},
		);
	}
	return place;
}

const name = (key) => key.replaceAll("_", " ");
const source = (key, entry, text) =>
	entry?.url
		? h(
				"a",
				{ class: "source", href: entry.url, rel: "noreferrer noopener", target: "_blank", title: entry.label },
				text,
			)
		: h("span", { class: "source", title: entry?.label }, text);

/** The sources of a ledger with their whole citation. */
export function inFull(keys) {
	const place = h("ul", { class: "citations" });
	const details = folded(`cite-${keys.join("-")}`, t("ledger.citations", { n: keys.length }), place);
	details.addEventListener("toggle", () => {
		if (details.open && !place.children.length)
			list("references").then(
				(items) =>
					place.append(
						...items
							.filter(({ id }) => keys.includes(id))
							.map((item) => h("li", {}, source(item.id, item, item.label))),
					),
				() => {},
			);
	});
	return keys.length > 0 && details;
}

export const folded = (key, title, ...children) =>
	h("details", { class: "folded", "data-key": key }, h("summary", {}, title), children);
