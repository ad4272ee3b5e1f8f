// What the service knows and how good it is (GET /v1/knowledge), and what this page sends, for whoever connects to it.

import { call } from "./api.js";
import { h, percent, t, word } from "./dom.js";
import { reliabilityPlot } from "./pictures.js";

const table = (caption, columns, rows, name = caption) =>
	h(
		"div",
		{ class: "scroll", tabindex: "0", role: "region", "aria-label": name },
		h(
			"table",
			{},
			h("caption", {}, caption),
			h(
				"thead",
				{},
				h(
					"tr",
					{},
					columns.map((column) => h("th", { scope: "col" }, column)),
				),
			),
			h(
				"tbody",
				{},
				rows.map(([first, ...rest]) =>
					h(
						"tr",
						{},
						h("th", { scope: "row" }, first),
						rest.map((cell) => h("td", {}, cell)),
					),
				),
			),
		),
	);

let drawn = false;

/** Draw the view of the knowledge, once. */
export async function knowledge(place) {
	if (drawn) return;
	place.replaceChildren(h("p", { class: "hint" }, t("loading")));
	try {
		const found = await call("v1/knowledge");
		place.replaceChildren(
			h("h1", {}, t("about.title")),
			h("p", { class: "lead" }, found.intended_use),
			...facts(found),
			...found.validation.studies.map(study),
			...attributes(found),
		);
		drawn = true;
	} catch (failure) {
		place.replaceChildren(h("p", { class: "error", role: "alert" }, failure.detail ?? t("error.offline")));
	}
}

function facts({ version, sha256, counts, review, validation }) {
	return [
		h(
			"dl",
			{ class: "counts" },
			Object.entries(counts).map(([name, n]) =>
				h("div", {}, h("dt", {}, word("counts", name)), h("dd", {}, n.toLocaleString(document.documentElement.lang))),
			),
		),
		h(
			"p",
			{},
			t("about.review", {
				states: Object.entries(review)
					.map(([state, n]) => `${n} ${word("review", state)}`)
					.join(", "),
			}),
		),
		h("p", { class: "hint" }, t("stamp", { version, hash: sha256 })),
		h("h2", {}, t("about.measured")),
		h("p", {}, `${validation.date}. ${validation.by}`),
	];
}

function study({ title, limits, repeat, cases, measures, reliability = [] }) {
	const value = ({ unit, value }) => (unit === "share" ? percent(value) : String(value));
	return h(
		"section",
		{ class: "part" },
		h("h3", {}, title),
		h("p", { class: "hint" }, limits),
		table(
			t("about.cases", { n: cases.toLocaleString(document.documentElement.lang) }),
			[t("about.measure"), t("about.value"), t("about.count"), t("about.interval")],
			measures.map((row) => [
				row.says,
				value(row),
				row.of ? t("about.of", { n: row.count, of: row.of }) : "",
				row.interval
					? t("about.span", {
							low: value({ ...row, value: row.interval[0] }),
							high: value({ ...row, value: row.interval[1] }),
						})
					: "",
			]),
			title,
		),
		reliability.length > 0 &&
			h(
				"div",
				{ class: "two plotted" },
				h("figure", {}, reliabilityPlot(reliability), h("figcaption", {}, t("plot.caption"))),
				table(
					t("plot.table"),
					[t("plot.bin"), t("plot.cases"), t("plot.said"), t("plot.right"), t("about.interval")],
					reliability.map((row) => [
						t("about.span", { low: percent(row.low), high: percent(row.high) }),
						String(row.cases),
						percent(row.said),
						percent(row.right),
						t("about.span", { low: percent(row.right_interval[0]), high: percent(row.right_interval[1]) }),
					]),
				),
			),
		h("p", { class: "hint" }, t("about.repeat"), " ", h("code", {}, repeat)),
	);
}

function attributes({
	source_attributes: { attributes: rows, intended_users: users, intended_population: people, not_intended: not },
	inputs_not_used: unused,
}) {
	return [
		h("h2", {}, t("about.for")),
		h("p", {}, people),
		h(
			"ul",
			{},
			users.map((each) => h("li", {}, each)),
		),
		h("h3", {}, t("about.notFor")),
		h(
			"ul",
			{},
			not.map((each) => h("li", {}, each)),
		),
		h("h2", {}, t("about.attributes")),
		table(
			t("about.attributes"),
			[t("about.attribute"), t("about.says"), t("about.used")],
			rows.map((row) => [
				row.attribute.replaceAll("_", " "),
				row.says,
				row.used === undefined ? "" : t(row.used ? "yes" : "no"),
			]),
		),
		Object.keys(unused).length > 0 && h("h3", {}, t("about.unused")),
		h(
			"ul",
			{},
			Object.entries(unused).map(([name, says]) => h("li", {}, h("strong", {}, name.replaceAll("_", " ")), ": ", says)),
		),
	].filter(Boolean);
}

/** Draw the view for integrators: the request that this page would send now, and its answer's address. */
export function integration(place, request, answer, milliseconds) {
	const body = request && JSON.stringify(request, null, 1);
	place.replaceChildren(
		h("h1", {}, t("api.title")),
		h("p", { class: "lead" }, t("api.lead")),
		h(
			"ul",
			{},
			h("li", {}, h("a", { href: "docs" }, t("api.docs"))),
			h("li", {}, h("a", { href: "openapi.json" }, t("api.contract"))),
		),
		h("h2", {}, t("api.calls")),
		h(
			"ul",
			{ class: "plain" },
			["assess", "lists", "entries", "knowledge", "health"].map((each) =>
				h("li", {}, h("code", {}, t(`api.${each}.call`)), " ", t(`api.${each}`)),
			),
		),
		h("h2", {}, t("api.request")),
		...(body
			? [
					h("p", { class: "hint" }, t("api.requestHint")),
					pre(
						t("api.request"),
						`curl -s ${location.origin}${new URL("v1/assessments", location.href).pathname}?leaflet=true -H 'Content-Type: application/json' -d '${body.replaceAll("'", "'\\''")}'`,
					),
				]
			: [h("p", { class: "hint" }, t("api.empty"))]),
		...(answer
			? [
					h("h2", {}, t("api.answer")),
					h("p", { class: "hint" }, t("api.answerHint", { ms: Math.round(milliseconds) })),
					pre(t("api.answer"), JSON.stringify(answer, null, 1)),
				]
			: []),
	);
}

const pre = (label, text) => h("pre", { tabindex: "0", role: "region", "aria-label": label }, text);
