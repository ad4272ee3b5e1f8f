// The next best question, always in view: one press answers it.

import { answerOfKey, h, t, word } from "./dom.js";
import { short, wordOf } from "./names.js";
import { shape } from "./pictures.js";
import { answerFinding, known } from "./state.js";

const GUARD = 250; // ms in which a question that has just appeared takes no answer: the press may have been meant for another
let queue = [],
	shown = null,
	since = 0,
	skipped = new Set(),
	waiting = false,
	say;

export function build(place, answered) {
	const question = h("p", { class: "question", "aria-live": "polite" });
	const why = h("p", { class: "why" });
	const level = h("p", { class: "now" });
	const buttons = ["present", "absent", "unknown"].map((answer) =>
		h(
			"button",
			{ type: "button", class: `answer ${answer}`, onclick: () => take(answer) },
			h("span", { class: "tick", "aria-hidden": "true" }),
			t(`answer.${answer}`),
		),
	);
	const skip = h(
		"button",
		{
			type: "button",
			class: "quiet",
			onclick: () => {
				if (shown) skipped.add(shown.finding);
				pick();
			},
		},
		t("next.skip"),
	);
	const group = h("div", { class: "three", role: "group", "aria-labelledby": "next-title" }, buttons);
	const effects = h("p", { class: "effects" });
	const go = (id) => () => {
		const there = document.getElementById(id);
		there.scrollIntoView();
		there.focus({ preventScroll: true });
	};
	const jumps = h(
		"div",
		{ class: "jumps" },
		h("button", { type: "button", class: "quiet", onclick: go("patient") }, t("next.entries")),
		h("button", { type: "button", class: "quiet", onclick: go("answer") }, t("next.answer")),
	);
	const title = h("h2", { id: "next-title" });
	place.append(
		h("div", { class: "where-now" }, level, jumps),
		h("div", { class: "asks" }, h("div", { class: "head" }, title, why), question, effects),
		h("div", { class: "takes" }, group, skip),
	);
	group.addEventListener("keydown", (event) => {
		const answer = !event.ctrlKey && !event.metaKey && !event.altKey && answerOfKey(event.key);
		if (answer) {
			event.preventDefault();
			take(answer);
		}
	});
	const take = (answer) => {
		if (!shown || waiting || performance.now() - since < GUARD) return;
		waiting = true;
		place.classList.add("waiting");
		answerFinding(shown.finding, answer);
		answered();
	};
	say = (urgency) => {
		place.hidden = !urgency;
		if (!urgency) return;
		title.textContent = t(urgency.level === "emergency" ? "next.emergency" : "next.title");
		level.className = `now ${urgency.level}`;
		level.replaceChildren(
			shape(urgency.level),
			h("span", {}, t(urgency.provisional ? "level.atLeast" : "level.final", { level: word("level", urgency.level) })),
		);
	};
	stale = () => {
		level.className = "now stale";
		level.textContent = t("error.notUpdated");
	};
	place.show = () => {
		question.textContent = shown ? shown.question : t("next.none");
		why.textContent = shown ? reason(shown.why) : "";
		effects.replaceChildren(...(shown ? [effect("present", shown.if_present), effect("absent", shown.if_absent)] : []));
		for (const button of [...buttons, skip]) button.disabled = !shown;
	};
	pick = () => {
		if (queue.every(({ finding }) => skipped.has(finding))) skipped.clear();
		const next = queue.find(({ finding }) => !skipped.has(finding)) ?? null;
		if (next?.finding !== shown?.finding) since = performance.now();
		shown = next;
		place.show();
	};
}

let pick, stale;

/** Why it is asked, its must-ask and level in words. */
const reason = (why) =>
	why
		.replace(/\bF-\d+\b/, (id) => known.items.find((item) => item.id === id)?.label ?? id)
		.replace(/(\w+)$/, (code) => word("level", code))
		.replace(/^tells the leading conditions apart.*$/, () => t("next.tells"));

const effect = (answer, text) =>
	h(
		"span",
		{},
		h("strong", {}, t(`answer.${answer}`)),
		" ",
		text
			.split(", ")
			.map((part) => part.replace(/^(\w+) /, (_, id) => `${short(known.conditions.get(id)?.label ?? wordOf(id))} `))
			.slice(0, 1)
			.join(", ")
			.replace(/(\d)%/g, t("percent", { n: "$1" })),
	);

/** After an answer of the service, or without one (null). */
export function sync(answer, failed = false) {
	waiting = false;
	document.getElementById("next").classList.remove("waiting");
	if (failed) return stale();
	queue = answer?.questions ?? [];
	if (!answer) skipped = new Set();
	say(answer?.urgency);
	pick();
}
