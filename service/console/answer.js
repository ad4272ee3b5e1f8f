// What comes out: level, what changed, differential with its ledger, must exclude, tests, notices.

import { h, percent, ratio, t, word } from "./dom.js";
import { ladder } from "./ladder.js";
import { conditionLabel, entryStates, folded, inFull, short, sources, wordOf } from "./names.js";
import { rootSketch, shape } from "./pictures.js";

/** Draw an answer. `old` is the one before it (null for another person's), `goTo(id)` leads to a must-ask. */
export function draw(place, answer, old, goTo) {
	const opened = new Set([...place.querySelectorAll("details[open]")].map(({ dataset }) => dataset.key));
	const closed = new Set([...place.querySelectorAll("details:not([open])")].map(({ dataset }) => dataset.key));
	const focus = place.contains(document.activeElement)
		? document.activeElement.closest("[data-key]")?.dataset.key
		: null;
	const changes = old ? differences(answer, old) : [];
	place.replaceChildren(
		...[
			urgency(answer, goTo),
			changed(changes),
			pathway(answer.treatment_ladder.pathway),
			mustExclude(answer.must_exclude),
			differential(answer, old),
			investigations(answer.investigations),
			ladder(answer, old),
			wouldChange(answer.urgency.would_change),
			after(answer),
			scores(answer.scores),
			leaflet(answer.leaflet),
			notices(answer),
			stamp(answer),
		].filter(Boolean),
	);
	for (const details of place.querySelectorAll("details[data-key]")) {
		if (opened.has(details.dataset.key)) details.open = true;
		else if (closed.has(details.dataset.key)) details.open = false;
	}
	if (focus) place.querySelector(`[data-key="${CSS.escape(focus)}"] summary`)?.focus();
	return changes;
}

const levelName = (level) => word("level", level);
const section = (id, title, ...children) =>
	h("section", { class: "part", "aria-labelledby": id }, h("h2", { id }, title), children);

function urgency({ urgency: found }, goTo) {
	const open = found.open_must_asks;
	const [first, ...others] = found.reasons.map(reason);
	return h(
		"section",
		{ class: `urgency ${found.level}`, "aria-labelledby": "level" },
		h(
			"header",
			{},
			shape(found.level),
			h(
				"div",
				{},
				found.provisional && h("p", { class: "atleast" }, t("urgency.atLeast")),
				h("h2", { id: "level" }, levelName(found.level)),
				h("p", { class: "time" }, found.within, " · ", found.disposition),
			),
		),
		h(
			"div",
			{ class: "body" },
			h(
				"div",
				{ class: "two" },
				h(
					"div",
					{},
					first,
					others.length > 0 && folded("reasons", t("urgency.moreReasons", { n: others.length }), others),
				),
				h(
					"div",
					{},
					h("h3", {}, t("urgency.actions")),
					h(
						"ul",
						{},
						found.actions.map((action) => h("li", {}, action)),
					),
				),
			),
			open.length > 0 && openQuestions(found, open, goTo),
		),
	);
}

const reason = (found) =>
	h(
		"div",
		{ class: "reason" },
		h("p", {}, h("strong", {}, found.title)),
		found.said.length > 0 && h("p", { class: "said" }, t("urgency.said", { said: found.said.join("; ") })),
		h("p", {}, found.because, " ", sources(found)),
	);

function openQuestions(found, open, goTo) {
	const line = ({ id, question, could_raise_to: to }) =>
		h(
			"li",
			{},
			h("button", { type: "button", class: "link", onclick: () => goTo(id) }, question),
			h("span", { class: "raise" }, t("urgency.couldBe", { level: levelName(to) })),
		);
	return h(
		"details",
		{ class: "open", "data-key": "open" },
		h("summary", {}, h("strong", {}, t("urgency.open", { n: open.length })), " ", found.statement),
		h("ul", { class: "links" }, open.map(line)),
	);
}

/** What is different from the answer before, as lines of words. */
export function differences(now, old) {
	const lines = [];
	const level = ({ urgency: { level, provisional } }) =>
		t(provisional ? "level.atLeast" : "level.final", { level: levelName(level) });
	if (level(now) !== level(old)) lines.push(t("change.level", { from: level(old), to: level(now) }));
	const before = new Map(old.differential.map((each) => [each.condition, each.probability]));
	for (const { condition, label, probability } of now.differential) {
		const was = before.get(condition) ?? 0;
		if (Math.abs(probability - was) >= 0.02)
			lines.push(t("change.condition", { label: short(label), from: percent(was), to: percent(probability) }));
	}
	const states = entryStates(old);
	const moved = now.treatment_ladder.rungs
		.flatMap(({ entries }) => entries)
		.filter(({ treatment, status }) => states.size && states.get(treatment) !== status);
	if (moved.length)
		lines.push(
			t(moved.length > 1 ? "change.treatments" : "change.treatment", { n: moved.length, label: moved[0].label }),
		);
	return lines;
}

function changed(lines) {
	if (!lines.length) return null;
	const shown = lines.slice(0, 5);
	return h(
		"aside",
		{ class: "changes", "aria-label": t("change.title") },
		h("strong", {}, t("change.title")),
		h(
			"ul",
			{},
			shown.map((line) => h("li", {}, line)),
			lines.length > shown.length && h("li", {}, t("more", { n: lines.length - shown.length })),
		),
	);
}

function pathway(found) {
	return (
		found &&
		h(
			"section",
			{ class: "part pathway", "aria-labelledby": "pathway" },
			h("h2", { id: "pathway" }, t("pathway.title")),
			h("p", {}, h("strong", {}, found.title), " · ", found.within),
			h("p", {}, found.statement),
			h(
				"div",
				{ class: "two" },
				h(
					"div",
					{},
					h("h3", {}, t("pathway.do")),
					h(
						"ol",
						{},
						found.actions.map((each) => h("li", {}, each)),
					),
				),
				h(
					"div",
					{},
					h("h3", {}, t("pathway.avoid")),
					h(
						"ul",
						{ class: "crossed" },
						found.avoid.map((each) => h("li", {}, each)),
					),
				),
			),
			sources(found),
		)
	);
}

function mustExclude(found) {
	return (
		found.length > 0 &&
		h(
			"section",
			{ class: "part compact", "aria-labelledby": "exclude" },
			h("h2", { id: "exclude" }, t("exclude.title")),
			h(
				"ul",
				{ class: "exclude" },
				found.map((each) =>
					h(
						"li",
						{},
						h("strong", {}, short(each.label)),
						h(
							"span",
							{},
							each.because === "red_flag"
								? t("exclude.redFlag", { rule: (each.rule ?? "").replaceAll("_", " ") })
								: t("exclude.probability", { p: percent(each.probability), threshold: percent(each.threshold) }),
						),
					),
				),
			),
		)
	);
}

function differential({ differential: found }, old) {
	const before = old && new Map(old.differential.map((each) => [each.condition, each.probability]));
	const rows = found.map((each, place) => condition(each, before, place));
	const root = found.find((each) => each.root_level && each.probability >= 0.1)?.root_level;
	return section(
		"differential",
		t("differential.title"),
		h("div", { class: "conditions" }, rows.slice(0, 5)),
		rows.length > 5 &&
			folded(
				"more-conditions",
				t("differential.more", { n: rows.length - 5 }),
				h("div", { class: "conditions" }, rows.slice(5)),
			),
		h("p", { class: "hint" }, t(found[0]?.likelihood ? "differential.hint" : "differential.noWords")),
		root && rootSketch(root),
	);
}

function condition(each, before, place) {
	const bar = h("span", { class: "bar", "aria-hidden": "true" }, h("span", {}));
	bar.firstChild.style.inlineSize = `${Math.max(each.probability * 100, 0.5)}%`;
	const was = before?.get(each.condition) ?? (before ? 0 : each.probability),
		move = Math.round((each.probability - was) * 100);
	const details = h(
		"details",
		{ class: "condition", "data-key": `c-${each.condition}` },
		h(
			"summary",
			{},
			h("span", { class: "rank" }, String(place + 1)),
			h(
				"span",
				{ class: "label" },
				each.label,
				each.serious && h("span", { class: "serious" }, t("differential.serious")),
			),
			h(
				"span",
				{ class: "number" },
				Math.abs(move) >= 2 &&
					h("span", { class: "moved" }, t(move > 0 ? "change.up" : "change.down", { n: Math.abs(move) })),
				each.likelihood && h("span", { class: "word" }, word("likelihood", each.likelihood)),
				h("span", { class: "percent" }, percent(each.probability)),
			),
			bar,
		),
	);
	details.addEventListener(
		"toggle",
		() => details.open && details.children.length === 1 && details.append(ledger(each)),
	);
	return details;
}

function ledger(each) {
	const facts = [
		each.icd10cm && t("ledger.icd", { code: each.icd10cm }),
		each.snomed && t("ledger.snomed", { code: each.snomed }),
		t("ledger.prior", { p: percent(each.prior) }),
		each.root_level,
	].filter(Boolean);
	const lines = [...each.for, ...each.against];
	return h(
		"div",
		{ class: "ledger" },
		h("p", { class: "facts" }, facts.join(" · ")),
		side(t("ledger.for"), each.for, "for"),
		side(t("ledger.against"), each.against, "against"),
		each.slight.lines > 0 &&
			h("p", { class: "hint" }, t("ledger.slight", { n: each.slight.lines, lr: ratio(each.slight.lr) })),
		inFull([...new Set(lines.flatMap((line) => [...line.references, ...line.published_references]))]),
	);
}

function side(title, lines, name) {
	if (!lines.length) return h("p", { class: "hint" }, t(`ledger.${name}None`));
	const columns = ["finding", "lr", "grade", "sources"].map((key) => t(`ledger.${key}`));
	return h(
		"table",
		{ class: `lines ${name}` },
		h("caption", {}, title),
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
			lines.map((line) =>
				h(
					"tr",
					{},
					h(
						"th",
						{ scope: "row" },
						wordOf(line.word),
						h(
							"small",
							{},
							[
								word("state", line.state),
								line.frequency !== null &&
									t("ledger.rates", { here: percent(line.frequency), there: percent(line.background) }),
								line.counted < 1 && t("ledger.counted", { p: percent(line.counted) }),
								line.published_lr !== null && t("ledger.published", { lr: ratio(line.published_lr) }),
							]
								.filter(Boolean)
								.join(" · "),
							line.differs && h("br", {}),
							line.differs,
						),
					),
					h("td", { "data-label": columns[1], class: "lr" }, ratio(line.lr)),
					h(
						"td",
						{ "data-label": columns[2] },
						h("abbr", { title: t(`grade.${line.grade}`) }, line.grade),
						h("small", {}, word("evidence", line.evidence_status)),
					),
					h("td", { "data-label": columns[3] }, sources(line)),
				),
			),
		),
	);
}

function investigations(found) {
	const group = (advice, lines) =>
		lines.length > 0 &&
		h(
			"div",
			{ class: `advice ${advice}` },
			h("h3", {}, h("span", { class: "mark", "aria-hidden": "true" }), t(`investigations.${advice}`)),
			h(
				"ul",
				{},
				lines.map((each) =>
					h(
						"li",
						{},
						h("strong", {}, each.label),
						each.when && `, ${each.when}`,
						h(
							"p",
							{},
							each.because,
							" ",
							h("span", { class: "whom" }, t("for", { label: short(conditionLabel(each.condition)) })),
							" ",
							sources(each),
						),
					),
				),
			),
		);
	return (
		found.length > 0 &&
		section(
			"tests",
			t("investigations.title"),
			["order", "consider", "do_not_order"].map((advice) =>
				group(
					advice,
					found.filter((each) => each.advice === advice),
				),
			),
		)
	);
}

function wouldChange(found) {
	return (
		found.length > 0 &&
		section(
			"would",
			t("would.title"),
			h(
				"ul",
				{ class: "would" },
				found.map((each) =>
					h(
						"li",
						{},
						h("span", { class: `chip ${each.to}` }, shape(each.to), levelName(each.to)),
						h("span", {}, each.text, " ", h("small", {}, each.title)),
					),
				),
			),
		)
	);
}

function after({ follow_up: reviews, referral }) {
	return (
		(reviews.length > 0 || referral.length > 0) &&
		section(
			"after",
			t("after.title"),
			reviews.length > 0 &&
				h(
					"ul",
					{ class: "plain" },
					reviews.map((each) =>
						h(
							"li",
							{},
							h("strong", {}, each.title),
							": ",
							each.within,
							h("p", {}, t("after.check", { check: each.check.join(", ") }), " ", sources(each)),
						),
					),
				),
			referral.length > 0 && h("h3", {}, t("after.referral")),
			referral.length > 0 &&
				h(
					"ul",
					{ class: "plain" },
					referral.map((each) =>
						h(
							"li",
							{},
							h("strong", {}, each.refer_to),
							": ",
							each.when,
							" ",
							h("span", { class: "whom" }, t("for", { label: short(conditionLabel(each.condition)) })),
							" ",
							sources(each),
						),
					),
				),
		)
	);
}

function scores(found) {
	return (
		found.length > 0 &&
		folded(
			"scores",
			t("scores.title", { n: found.length }),
			h(
				"ul",
				{ class: "plain" },
				found.map((each) =>
					h(
						"li",
						{},
						h("strong", {}, each.score.replaceAll("_", " ")),
						" ",
						each.low === each.high ? String(each.low) : t("scores.between", { low: each.low, high: each.high }),
						each.band ? ` · ${each.band.replaceAll("_", " ")}` : ` · ${t("scores.open")}`,
						each.note && h("p", {}, each.note),
					),
				),
			),
		)
	);
}

function leaflet(page) {
	return (
		page &&
		folded(
			"leaflet",
			t("leaflet.title"),
			h(
				"div",
				{ class: "leaflet" },
				h("h3", {}, page.title),
				h("p", {}, h("strong", {}, page.first)),
				page.provisional && h("p", {}, page.provisional),
				page.likely && h("p", {}, page.likely),
				page.sections.map(({ heading, lines }) => [
					h("h4", {}, heading),
					h(
						"ul",
						{},
						lines.map(({ text }) => h("li", {}, text)),
					),
				]),
				page.review && h("p", {}, page.review),
			),
		)
	);
}

function notices({ notices: found }) {
	return (
		found.length > 0 &&
		section(
			"notices",
			t("notices.title"),
			h(
				"ul",
				{ class: "plain" },
				found.map(({ value, text }) => h("li", {}, h("strong", {}, wordOf(value)), " ", text)),
			),
		)
	);
}

const stamp = ({ knowledge, intended_use: use }) =>
	h(
		"footer",
		{ class: "stamp" },
		h("p", {}, use),
		h("p", {}, t("stamp", { version: knowledge.version, hash: knowledge.sha256.slice(0, 12) })),
	);
