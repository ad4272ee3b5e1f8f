// What goes in: the person, the must-ask questions, findings, measurements, medicines, allergies, what was tried.

import { announce, combobox, h, newId, t, threeway, word } from "./dom.js";
import { DAYS, answerFinding, answerItem, answerTo, itemState, known, number, state } from "./state.js";

const SECTIONS = ["history", "examination", "investigation", "context"];
let changed,
	open = [],
	showAll = false;
const syncs = [];

/** Build the form once; `tell(pressed)` is called after each change, true where it was a press rather than typing. */
export function build(tell) {
	changed = tell;
	person(document.getElementById("person"));
	mustAsks(document.getElementById("must-ask"));
	findings(document.getElementById("findings"));
	measurements(document.getElementById("measurements"));
	drugs(document.getElementById("drugs"));
	tried(document.getElementById("tried"));
}

/** Show the state as it is now, and which must-asks the answer says are open. */
export function sync(openItems = open) {
	open = openItems;
	syncs.forEach((each) => each());
}

const press = () => {
	sync();
	changed(true);
};

function field(label, control, { pointer, hint, after } = {}) {
	control.id ||= newId("field");
	const about = [hint && `${control.id}-hint`, `${control.id}-error`].filter(Boolean).join(" ");
	control.setAttribute("aria-describedby", about);
	return h(
		"div",
		{ class: "field", "data-pointer": pointer },
		h("label", { for: control.id }, label),
		h("div", { class: "control" }, control, after),
		hint && h("p", { class: "hint", id: `${control.id}-hint` }, hint),
		h("p", { class: "error", id: `${control.id}-error`, hidden: true }),
	);
}

function typed(key, properties = {}) {
	const input = h("input", {
		type: "text",
		inputmode: "decimal",
		autocomplete: "off",
		class: "number",
		...properties,
		oninput: () => {
			state[key] = input.value;
			changed(false);
		},
	});
	syncs.push(() => {
		if (input.value !== state[key]) input.value = state[key];
	});
	return input;
}

function choice(key, group, codes, { none } = {}) {
	const select = h(
		"select",
		{
			onchange: () => {
				state[key] = select.value;
				press();
			},
		},
		none && h("option", { value: "" }, none),
		codes.map((code) => h("option", { value: code }, word(group, code))),
	);
	syncs.push(() => (select.value = state[key] ?? ""));
	return select;
}

function segmented(label, key, group, codes, pointer) {
	const name = newId("pick");
	const inputs = codes.map((code) =>
		h("input", {
			type: "radio",
			name,
			id: `${name}-${code}`,
			value: code,
			onchange: () => {
				state[key] = code;
				press();
			},
		}),
	);
	syncs.push(() => inputs.forEach((input) => (input.checked = state[key] === input.value)));
	return h(
		"fieldset",
		{ class: "field segmented", "data-pointer": pointer },
		h("legend", {}, label),
		h(
			"div",
			{ class: "control" },
			inputs.map((input) => [input, h("label", { for: input.id }, word(group, input.value))]),
		),
		h("p", { class: "error", hidden: true }),
	);
}

function person(place) {
	const pregnancy = field(
		t("person.pregnancy"),
		choice("pregnancy", "pregnancy", ["not_pregnant", "possible", "pregnant"], { none: t("notAsked") }),
		{ pointer: "/patient/pregnancy" },
	);
	syncs.push(() => (pregnancy.hidden = state.sex !== "female"));
	place.append(
		h(
			"div",
			{ class: "fields" },
			field(t("person.age"), typed("age", { id: "age" }), {
				pointer: "/patient/age_years",
				after: h("span", { class: "unit" }, t("person.years")),
			}),
			segmented(t("person.sex"), "sex", "sex", ["female", "male"], "/patient/sex"),
			pregnancy,
			field(
				t("person.setting"),
				choice("setting", "setting", ["primary_care", "emergency", "spine_clinic"], { none: t("person.settingNone") }),
				{
					pointer: "/setting",
				},
			),
			field(t("person.duration"), typed("duration"), {
				pointer: "/episode/duration_days",
				after: labelled(choice("unit", "unit", Object.keys(DAYS)), t("person.unit")),
			}),
			field(t("person.severity"), typed("severity"), {
				pointer: "/episode/pain_severity",
				after: h("span", { class: "unit" }, t("person.outOfTen")),
			}),
			field(t("person.mode"), choice("mode", "mode", ["in_person", "remote"], { none: t("notSaid") }), {
				pointer: "/contact/mode",
			}),
			field(
				t("person.informant"),
				choice("informant", "informant", ["patient", "proxy", "interpreter"], { none: t("notSaid") }),
				{ pointer: "/contact/informant" },
			),
		),
	);
}

function labelled(control, label) {
	control.setAttribute("aria-label", label);
	return control;
}

function mustAsks(place) {
	const list = h("ol", { class: "items", "data-list": "" }, known.items.map(mustAsk));
	const more = h("button", {
		type: "button",
		class: "quiet",
		onclick: () => {
			showAll = !showAll;
			sync();
		},
	});
	const rest = h("button", { type: "button", class: "secondary", onclick: () => confirmRest(list) });
	syncs.push(() => {
		const rows = [...list.children];
		const spare = rows.filter((row) => row.dataset.needed === "no").length;
		more.hidden = !spare;
		more.textContent = t(showAll ? "must.hideMore" : "must.showMore", { n: spare });
		const left = unanswered(list).length;
		rest.hidden = !left;
		rest.textContent = t("must.rest", { n: left });
	});
	place.append(
		h("p", { class: "hint" }, t("must.hint"), " ", h("span", { class: "keys" }, t("must.keys"))),
		list,
		h("div", { class: "buttons" }, rest, more),
	);
}

function mustAsk(item) {
	const findings = item.findings.map((id) => known.findings.get(id)).filter(Boolean);
	const single = findings.length === 1;
	const title = h(
		"p",
		{ class: "ask", id: `ask-${item.id}` },
		item.label,
		" ",
		h("span", { class: "flag", hidden: true }, t("must.open")),
	);
	const about = h(
		"p",
		{ class: "covers" },
		single ? findings[0].question : findings.map(({ label }) => label).join(" · "),
	);
	const group = threeway(
		item.label,
		() => {
			const now = itemState(item);
			return now === "asked" ? "present" : now;
		},
		(answer) => {
			answerItem(item, answer);
			press();
		},
	);
	const which = h("p", { class: "which", hidden: true }, t("must.which"));
	const parts = h(
		"ul",
		{ class: "parts", "data-list": "", hidden: true },
		single
			? []
			: findings.map(({ id, question, label }) => {
					const three = threeway(
						label,
						() => answerTo(id, item),
						(answer) => {
							answerFinding(id, answer);
							press();
						},
					);
					syncs.push(three.sync);
					return h("li", { "data-pointer": `/findings/${id}` }, h("p", {}, question), three);
				}),
	);
	const row = h(
		"li",
		{ class: "item", "data-pointer": `/screening/${item.id}`, "data-item": item.id },
		h("div", { class: "line" }, h("div", {}, title, about), group),
		which,
		parts,
	);
	syncs.push(() => {
		group.sync();
		const now = itemState(item),
			isOpen = open.some(({ id }) => id === item.id);
		parts.hidden = single || !(now === "present" || now === "asked");
		which.hidden = now !== "asked";
		title.querySelector(".flag").hidden = !isOpen;
		row.dataset.needed = isOpen || now || !open.known ? "yes" : "no";
		row.hidden = row.dataset.needed === "no" && !showAll && !row.contains(document.activeElement);
	});
	return row;
}

const unanswered = (list) =>
	known.items.filter((item) => !itemState(item) && !list.querySelector(`[data-item="${item.id}"]`).hidden);

/** One press for the rest, but only after every question that it answers was shown. */
function confirmRest(list) {
	const items = unanswered(list);
	const dialog = h(
		"dialog",
		{ "aria-labelledby": "rest-title", class: "wide" },
		h(
			"form",
			{ method: "dialog" },
			h("h2", { id: "rest-title" }, t("rest.title", { n: items.length })),
			h("p", {}, t("rest.text")),
			h(
				"div",
				{ class: "long", tabindex: "0", role: "group", "aria-label": t("rest.list") },
				h(
					"ul",
					{ class: "plain" },
					items.map((item) =>
						h(
							"li",
							{},
							h("strong", {}, item.label),
							h("span", {}, item.findings.map((id) => known.findings.get(id)?.label).join(" · ")),
						),
					),
				),
			),
			h(
				"div",
				{ class: "buttons" },
				h("button", { value: "no", class: "primary" }, t("rest.confirm", { n: items.length })),
				h("button", { type: "button", onclick: () => dialog.close("") }, t("cancel")),
			),
		),
	);
	dialog.addEventListener("close", () => {
		dialog.remove();
		if (dialog.returnValue !== "no") return;
		items.forEach((item) => answerItem(item, "absent"));
		announce(t("rest.done", { n: items.length }));
		press();
	});
	document.body.append(dialog);
	dialog.showModal();
}

const kind = (entry) => word("kind", entry.kind);

function finding(id) {
	const entry = known.findings.get(id);
	const three = threeway(
		entry.label,
		() => answerTo(id),
		(answer) => {
			answerFinding(id, answer);
			press();
		},
	);
	return Object.assign(
		h(
			"li",
			{ class: "row", "data-pointer": `/findings/${id}` },
			h("p", { title: entry.question }, entry.label, h("small", {}, kind(entry))),
			three,
			h("p", { class: "error", hidden: true }),
		),
		{ sync: three.sync },
	);
}

function findings(place) {
	const all = [...known.findings.values()];
	const chosen = h("ul", { class: "rows", "data-list": "", "aria-label": t("findings.chosen") });
	const denied = h("ul", { class: "rows", "data-list": "", "aria-label": t("findings.denied") });
	const folded = h(
		"details",
		{ class: "browse" },
		h("summary", {}, t("findings.denied"), h("span", { class: "count" })),
		denied,
	);
	const rows = new Map();
	const empty = h("p", { class: "hint" }, t("findings.none"));
	syncs.push(() => {
		const ids = Object.keys(state.findings).filter((id) => known.findings.has(id));
		for (const [id, row] of rows)
			if (!ids.includes(id) && !row.contains(document.activeElement)) {
				row.remove();
				rows.delete(id);
			}
		for (const id of ids)
			if (!rows.has(id)) {
				rows.set(id, finding(id));
				(state.findings[id] === "absent" ? denied : chosen).append(rows.get(id));
			}
		rows.forEach((row) => row.sync());
		empty.hidden = rows.size > 0;
		folded.hidden = !denied.children.length;
		folded.querySelector(".count").textContent = denied.children.length;
	});
	const take = (entry, event) => {
		const answer = event.shiftKey ? "absent" : "present";
		answerFinding(entry.id, answer);
		announce(t("findings.added", { label: entry.label, answer: t(`answer.${answer}`) }));
		press();
	};
	place.append(
		combobox({ label: t("findings.find"), hint: t("findings.hint"), entries: () => all, note: kind, choose: take }),
		chosen,
		folded,
		empty,
		h("p", { class: "subhead", id: "by-section" }, t("findings.bySection")),
		...SECTIONS.map((section) =>
			browse(
				section,
				all.filter((entry) => entry.kind === section).sort((a, b) => a.label.localeCompare(b.label)),
			),
		),
	);
}

function browse(section, entries) {
	const details = h(
		"details",
		{ class: "browse" },
		h("summary", {}, word("kind", section), h("span", { class: "count" }, String(entries.length))),
	);
	details.addEventListener("toggle", () => {
		if (details.children.length > 1) return;
		const rows = entries.map(({ id }) => finding(id));
		syncs.push(() => rows.forEach((row) => row.sync()));
		details.append(h("ul", { class: "rows", "data-list": "" }, rows));
	});
	return details;
}

/** What is wrong with a measurement before it is sent, in words, or "". */
export function outOfRange(id, raw) {
	const { plausible, unit } = known.observations.get(id);
	if (!plausible || raw === "") return "";
	const value = number(raw);
	if (typeof value !== "number") return t("measure.notNumber");
	return value < plausible[0] || value > plausible[1]
		? t("measure.range", { low: plausible[0], high: plausible[1], unit: unit ?? "" })
		: "";
}

function measurements(place) {
	// The must-ask that asks for the most measurements is the one of the vital signs: those stand here from the start.
	const measured = known.items.map(({ fields = [] }) =>
		fields.filter((path) => path.startsWith("observations.")).map((path) => path.split(".")[1]),
	);
	const vital = measured.sort((a, b) => b.length - a.length)[0] ?? [];
	const rows = new Map();
	const list = h("div", { class: "fields", id: "measured" });
	const add = (id) => {
		rows.set(id, measurement(id));
		list.append(rows.get(id));
		return rows.get(id);
	};
	vital.forEach(add);
	syncs.push(() => {
		for (const id of Object.keys(state.observations)) if (known.observations.has(id) && !rows.has(id)) add(id);
		for (const [id, row] of rows)
			if (!(id in state.observations) && !vital.includes(id)) {
				row.remove();
				rows.delete(id);
			}
		rows.forEach((row) => row.sync());
	});
	place.append(
		list,
		combobox({
			label: t("measure.find"),
			entries: () => [...known.observations.values()],
			note: (entry) => entry.unit,
			choose: ({ id }) => {
				state.observations[id] ??= "";
				sync();
				rows.get(id).querySelector("input, select").focus();
				setTimeout(() => rows.get(id).querySelector("input, select").focus());
			},
		}),
	);
}

function measurement(id) {
	const { label, unit, plausible, values } = known.observations.get(id);
	const write = (value, pressed) => {
		if (value === "" && pressed) delete state.observations[id];
		else state.observations[id] = value;
		changed(pressed);
	};
	const control = plausible
		? h("input", {
				type: "text",
				inputmode: "decimal",
				class: "number",
				autocomplete: "off",
				oninput: () => write(control.value, false),
			})
		: h(
				"select",
				{ onchange: () => write(control.value, true) },
				h("option", { value: "" }, t("notMeasured")),
				(values ?? []).map((code) => h("option", { value: code }, word("code", code))),
			);
	const row = field(label, control, {
		pointer: `/observations/${id}`,
		after: unit && h("span", { class: "unit" }, word("unit", unit)),
	});
	row.sync = () => {
		if (control.value !== (state.observations[id] ?? "")) control.value = state.observations[id] ?? "";
	};
	return row;
}

function drugs(place) {
	const all = [...known.drugs.values()];
	place.append(
		tags(
			"medications",
			all.filter((entry) => !entry.allergen),
		),
		tags("allergies", all),
	);
}

function tags(key, entries) {
	const list = h("ul", { class: "tags", "aria-label": t(`${key}.chosen`) });
	const none = h("input", {
		type: "checkbox",
		id: `none-${key}`,
		onchange: () => {
			state[key] = none.checked ? [] : null;
			press();
		},
	});
	const remove = (name) => {
		state[key] = state[key].filter((other) => other !== name);
		if (!state[key].length) state[key] = null;
		press();
	};
	syncs.push(() => {
		const names = state[key] ?? [];
		none.checked = state[key]?.length === 0;
		none.disabled = names.length > 0;
		list.replaceChildren(
			...names.map((name, place) =>
				h(
					"li",
					{ "data-pointer": `/${key}/${place}` },
					known.drugs.get(name)?.label ?? name,
					h(
						"button",
						{
							type: "button",
							"aria-label": t("remove", { name: known.drugs.get(name)?.label ?? name }),
							onclick: () => {
								remove(name);
								field.querySelector("input").focus();
							},
						},
						h("span", { "aria-hidden": "true" }, "×"),
					),
				),
			),
		);
	});
	const field = combobox({
		label: t(`${key}.find`),
		entries: () => entries,
		free: true,
		pointer: `/${key}`,
		choose: ({ id }) => {
			state[key] = [...new Set([...(state[key] ?? []), id])];
			press();
		},
	});
	return h(
		"div",
		{ class: "drugs" },
		field,
		list,
		h("p", { class: "check" }, none, h("label", { for: none.id }, t(`${key}.none`))),
	);
}

function tried(place) {
	const list = h("ul", { class: "rows tried" });
	const none = h("input", {
		type: "checkbox",
		id: "none-tried",
		onchange: () => {
			state.tried = none.checked ? [] : null;
			press();
		},
	});
	let shown = [];
	syncs.push(() => {
		const now = state.tried ?? [];
		none.checked = state.tried?.length === 0;
		none.disabled = now.length > 0;
		if (now.length === shown.length && now.every((each, at) => each === shown[at])) return;
		shown = [...now];
		list.replaceChildren(...now.map(trial));
	});
	place.append(
		combobox({
			label: t("tried.find"),
			entries: () => [...known.treatments.values()],
			choose: ({ id }) => {
				state.tried = [...(state.tried ?? []), { treatment: id }];
				press();
			},
		}),
		list,
		h("p", { class: "check" }, none, h("label", { for: none.id }, t("tried.none"))),
	);
}

function trial(entry, place) {
	const name = known.treatments.get(entry.treatment)?.label ?? entry.treatment;
	const weeks = h("input", {
		type: "text",
		inputmode: "decimal",
		class: "number",
		value: entry.weeks ?? "",
		oninput: () => {
			entry.weeks = weeks.value;
			changed(false);
		},
	});
	const response = h(
		"select",
		{
			onchange: () => {
				entry.response = response.value || undefined;
				press();
			},
		},
		h("option", { value: "" }, t("notSaid")),
		["none", "partial", "good"].map((code) => h("option", { value: code }, word("response", code))),
	);
	response.value = entry.response ?? "";
	const remove = () => {
		state.tried = state.tried.filter((other) => other !== entry);
		if (!state.tried.length) state.tried = null;
		press();
	};
	return h(
		"li",
		{ class: "row", "data-pointer": `/treatments_tried/${place}/treatment` },
		h("p", {}, name),
		h(
			"div",
			{ class: "fields" },
			field(t("tried.weeks"), weeks, { pointer: `/treatments_tried/${place}/weeks` }),
			field(t("tried.response"), response, { pointer: `/treatments_tried/${place}/response` }),
			h(
				"button",
				{ type: "button", class: "quiet", "aria-label": t("remove", { name }), onclick: remove },
				t("removeShort"),
			),
		),
	);
}

/** Say at each field what is wrong with it; gives back what belongs to no field that can be seen. */
export function showErrors(errors) {
	document.querySelectorAll("#patient .error").forEach((place) => {
		place.hidden = true;
		place.textContent = "";
	});
	document.querySelectorAll("#patient [aria-invalid]").forEach((control) => control.removeAttribute("aria-invalid"));
	return errors.filter(({ pointer, detail }) => {
		const owner = nearest(pointer);
		if (!owner) return true;
		const place = owner.querySelector(".error") ?? owner.appendChild(h("p", { class: "error" }));
		place.hidden = false;
		place.textContent = detail;
		owner.querySelector("input, select")?.setAttribute("aria-invalid", "true");
		return false;
	});
}

function nearest(pointer) {
	for (let path = pointer; path; path = path.slice(0, path.lastIndexOf("/"))) {
		const owner = document.querySelector(`#patient [data-pointer="${CSS.escape(path)}"]`);
		if (owner) return owner;
	}
	return null;
}

/** Bring a must-ask into view and put the focus on its buttons. */
export function goTo(id) {
	const row = document.querySelector(`[data-item="${id}"]`);
	row.hidden = false;
	row.scrollIntoView({ block: "center" });
	row.querySelector('.three [tabindex="0"]').focus({ preventScroll: true });
}
