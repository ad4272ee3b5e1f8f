// The page: reads the lists, keeps the state, asks for an answer after each change, shows it. Nothing outlives the page.

import { integration, knowledge } from "./about.js";
import { draw } from "./answer.js";
import { Failure, call, list } from "./api.js";
import { announce, h, percent, readTexts, t, word } from "./dom.js";
import * as form from "./form.js";
import { short } from "./names.js";
import * as next from "./next.js";
import { plainText, sheet } from "./record.js";
import { clear, known, load, request, state } from "./state.js";

const DEBOUNCE = 250; // ms after the last key; a press is sent at once
const DENSE = 4200; // letters on the printed page from which they are smaller, so that it stays one page
const at = (id) => document.getElementById(id);
let timer,
	running = null,
	latest = null,
	took = 0,
	examples = [];

async function start() {
	await readTexts(document.documentElement.lang);
	wireHeader();
	await connect();
}

/** Read the lists; where the service asks for a key or cannot be reached, say so and offer to try again. */
async function connect() {
	at("trouble").replaceChildren();
	try {
		const kinds = [
			"findings",
			"observations",
			"must-ask",
			"medications",
			"allergens",
			"treatments",
			"treatment-groups",
			"conditions",
		];
		const [findings, observations, items, medications, allergens, treatments, groups, conditions] = await Promise.all(
			kinds.map(list),
		);
		const byId = (entries) => new Map(entries.map((entry) => [entry.id, entry]));
		Object.assign(known, {
			findings: byId(findings),
			observations: byId(observations),
			items,
			conditions: byId(conditions),
			drugs: byId([...medications, ...allergens.map((entry) => ({ ...entry, allergen: true }))]),
			treatments: byId([...groups, ...treatments]),
		});
		examples = await (await fetch("console/examples.json")).json();
	} catch (failure) {
		return trouble(failure, connect);
	}
	at("waiting").remove();
	for (const id of ["patient", "answer"]) at(id).hidden = false;
	form.build((pressed) => later(pressed ? 0 : DEBOUNCE));
	next.build(at("next"), () => {
		form.sync();
		later(0);
	});
	fillExamples();
	showNothing();
	form.sync();
	at("age").focus();
}

function later(wait) {
	clearTimeout(timer);
	timer = setTimeout(ask, wait);
}

/** Ask for the answer to the present state; an answer to an older state is dropped. */
async function ask() {
	running?.abort();
	const mine = (running = new AbortController());
	const wrong = localErrors();
	if (wrong.length) return fail(new Failure(422, "", wrong));
	const asked = request();
	if (!asked) return showNothing();
	at("answer").setAttribute("aria-busy", "true");
	const began = performance.now();
	try {
		const answer = await call("v1/assessments?leaflet=true", { body: asked, signal: mine.signal });
		if (mine.signal.aborted) return;
		show(answer, performance.now() - began);
		performance.measure("answer", { start: began });
	} catch (failure) {
		if (!mine.signal.aborted) fail(failure);
	} finally {
		if (running === mine) at("answer").removeAttribute("aria-busy");
	}
}

const localErrors = () =>
	Object.entries(state.observations)
		.map(([id, raw]) => ({ pointer: `/observations/${id}`, detail: form.outOfRange(id, raw) }))
		.filter(({ detail }) => detail);

function show(answer, milliseconds) {
	form.showErrors([]);
	at("trouble").replaceChildren();
	at("answer").classList.remove("stale");
	at("welcome").hidden = true;
	took = milliseconds;
	const changes = draw(at("result"), answer, latest, form.goTo);
	latest = answer;
	form.sync(Object.assign(answer.urgency.open_must_asks, { known: true }));
	next.sync(answer);
	at("sheet").replaceChildren(...sheet(answer));
	at("sheet").classList.toggle("dense", at("sheet").textContent.length > DENSE);
	for (const id of ["copy", "print"]) at(id).disabled = false;
	const first = answer.differential[0];
	announce(
		[
			t(answer.urgency.provisional ? "level.atLeast" : "level.final", { level: word("level", answer.urgency.level) }),
			first && `${short(first.label)} ${percent(first.probability)}`,
			...changes.slice(0, 2),
		]
			.filter(Boolean)
			.join(". "),
	);
}

function showNothing() {
	latest = null;
	form.showErrors([]);
	at("trouble").replaceChildren();
	at("result").replaceChildren();
	at("sheet").replaceChildren();
	at("api").replaceChildren();
	at("answer").classList.remove("stale");
	at("welcome").hidden = false;
	for (const id of ["copy", "print"]) at(id).disabled = true;
	form.sync(Object.assign([], { known: false }));
	next.sync(null);
}

/** No answer to the present state. What stands there is for an earlier one, and says so; a service that failed leaves nothing. */
function fail(failure) {
	next.sync(null, true);
	if (failure.status >= 500) showNothing();
	const rest = form.showErrors(failure.errors ?? []);
	if (latest) at("answer").classList.add("stale");
	at("sheet").replaceChildren();
	for (const id of ["copy", "print"]) at(id).disabled = true;
	const bad = (failure.errors ?? []).length;
	trouble(bad ? new Failure(failure.status, t("error.values", { n: bad }), rest) : failure, bad ? null : ask);
}

function trouble(failure, again) {
	const title =
		failure.status === 0
			? "error.noConnection"
			: failure.status === 401 || failure.status === 403
				? "error.closed"
				: failure.status === 422
					? "error.notUpdated"
					: failure.status === 429
						? "error.tooMany"
						: "error.failed";
	const detail = failure instanceof Failure ? failure.detail : t("error.page");
	at("trouble").replaceChildren(
		h(
			"div",
			{ class: "trouble", role: "alert" },
			h("strong", {}, t(title)),
			h("p", {}, detail),
			failure.errors?.length > 0 &&
				h(
					"ul",
					{},
					failure.errors.map(({ pointer, detail: why }) => h("li", {}, h("code", {}, pointer), " ", why)),
				),
			latest && h("p", {}, t("error.stale")),
			again &&
				h(
					"button",
					{ type: "button", class: "secondary", onclick: again },
					t(failure.status === 401 ? "key.give" : "again"),
				),
		),
	);
	if (!(failure instanceof Failure)) console.error(failure);
}

function fillExamples() {
	const menu = at("examples");
	menu.append(
		...examples.map((each) =>
			h(
				"option",
				{ value: each.id },
				t("example.name", {
					sex: word("sex", each.request.patient.sex ?? "unknown"),
					age: each.request.patient.age_years,
					diagnosis: short(known.conditions.get(each.reference_diagnosis)?.label ?? each.reference_diagnosis),
				}),
			),
		),
	);
	menu.disabled = false;
	menu.addEventListener("change", () => {
		const chosen = examples.find(({ id }) => id === menu.value);
		menu.value = "";
		if (!chosen) return;
		load(chosen.request);
		latest = null;
		view("assessment");
		form.sync([]);
		at("example").hidden = false;
		at("example").replaceChildren(
			t("example.loaded"),
			" ",
			h("a", { href: chosen.source.url, rel: "noreferrer noopener", target: "_blank" }, chosen.source.title),
		);
		later(0);
	});
}

function view(name) {
	for (const button of document.querySelectorAll("[data-view]")) {
		if (button.dataset.view === name) button.setAttribute("aria-current", "page");
		else button.removeAttribute("aria-current");
	}
	for (const each of ["assessment", "knowledge", "api"]) at(each).hidden = each !== name;
	at("next").classList.toggle("away", name !== "assessment");
	if (name === "knowledge") knowledge(at("knowledge"));
	if (name === "api") integration(at("api"), request(), latest, took);
	scrollTo(0, 0);
}

function wireHeader() {
	for (const button of document.querySelectorAll("[data-view]"))
		button.addEventListener("click", () => view(button.dataset.view));
	at("skip").addEventListener("click", (event) => {
		event.preventDefault();
		at("answer").focus();
		at("answer").scrollIntoView();
	});
	at("skip-next").addEventListener("click", (event) => {
		event.preventDefault();
		at("next").querySelector(".takes button:not(:disabled)")?.focus();
	});
	at("clear").addEventListener("click", () => {
		clear();
		at("example").hidden = true;
		running?.abort();
		showNothing();
		view("assessment");
		announce(t("clear.done"));
		at("age").focus();
	});
	at("print").addEventListener("click", () => print());
	at("copy").addEventListener("click", copy);
}

async function copy() {
	const text = plainText(latest);
	try {
		await navigator.clipboard.writeText(text);
		at("copy").textContent = t("copy.done");
		announce(t("copy.done"));
		setTimeout(() => (at("copy").textContent = t("copy")), 2000);
	} catch {
		const area = h("textarea", { rows: "16", readonly: true, id: "text", "aria-label": t("copy.text") });
		area.value = text;
		const dialog = h(
			"dialog",
			{ "aria-labelledby": "copy-title", class: "wide" },
			h(
				"form",
				{ method: "dialog" },
				h("h2", { id: "copy-title" }, t("copy.text")),
				h("p", { class: "hint" }, t("copy.byHand")),
				area,
				h("div", { class: "buttons" }, h("button", { class: "primary" }, t("close"))),
			),
		);
		dialog.addEventListener("close", () => dialog.remove());
		document.body.append(dialog);
		dialog.showModal();
		area.select();
	}
}

start().catch((failure) => trouble(failure, null));
