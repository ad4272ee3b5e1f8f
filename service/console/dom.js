// Small helpers: texts, elements, the three-way answer, and the field that one types ahead in.

let texts = {};

export async function readTexts(language) {
	texts = await (await fetch(`console/${language}.json`)).json();
}

/** A text of the catalogue, its {names} filled in. */
export function t(key, values = {}) {
	const text = texts[key] ?? key;
	return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** A code in words: the catalogue's, or the code itself without its underscores. */
export function word(group, code) {
	return texts[`${group}.${code}`] ?? String(code).replaceAll("_", " ");
}

export const percent = (share) =>
	share > 0 && share < 0.005 ? t("percent.under") : t("percent", { n: Math.round(share * 100) });
export const ratio = (lr) =>
	lr >= 10 ? String(Math.round(lr)) : lr >= 1 ? String(Math.round(lr * 10) / 10) : String(Math.round(lr * 100) / 100);

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
	for (const [name, value] of Object.entries(properties ?? {})) {
		if (value === undefined || value === null || value === false) continue;
		if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
		else element.setAttribute(name, value === true ? "" : value);
	}
	element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
	return element;
}

export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
export const s = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

let ids = 0;
export const newId = (stem) => `${stem}-${++ids}`;

export function announce(text) {
	const place = document.getElementById("said");
	place.textContent = "";
	requestAnimationFrame(() => (place.textContent = text));
}

const ANSWERS = ["present", "absent", "unknown"];

/**
 * Yes, no, can't tell, as three buttons with one tab stop. Pressing the answer again takes it back. Y, N and U answer and
 * go on to the next group of the same list.
 */
export function threeway(label, read, write) {
	const buttons = ANSWERS.map((answer) =>
		h(
			"button",
			{ type: "button", class: `answer ${answer}`, "data-answer": answer, onclick: () => press(answer) },
			h("span", { class: "tick", "aria-hidden": "true" }),
			t(`answer.${answer}`),
		),
	);
	const group = h("div", { class: "three", role: "group", "aria-label": label }, buttons);
	const press = (answer) => {
		write(read() === answer ? null : answer);
		group.sync();
	};
	group.sync = () => {
		const now = read();
		buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.answer === now)));
		const stop = buttons.find((button) => button.dataset.answer === now) ?? buttons[0];
		buttons.forEach((button) => (button.tabIndex = button === stop ? 0 : -1));
	};
	group.addEventListener("keydown", (event) => {
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
		const answer = answerOfKey(event.key);
		if (step) {
			const place = buttons.indexOf(event.target);
			buttons[(place + step + 3) % 3].focus();
		} else if (answer) {
			if (read() !== answer) write(answer);
			group.sync();
			nextGroup(group)?.querySelector('[tabindex="0"]').focus();
		} else return;
		event.preventDefault();
	});
	group.sync();
	return group;
}

export const answerOfKey = (key) => ANSWERS.find((answer) => key.toLowerCase() === t(`key.${answer}`));

function nextGroup(group) {
	const all = [...(group.closest("[data-list]") ?? group.parentElement).querySelectorAll(".three")];
	return all.slice(all.indexOf(group) + 1).find((other) => other.offsetParent !== null);
}

const plain = (text) => text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");

/** The entries that a text means, the best first: every word of it begins a word of label or synonym, then anywhere. */
export function search(entries, sought, limit = 8) {
	const words = plain(sought).split(/\s+/).filter(Boolean);
	if (!words.length) return [];
	const found = [];
	for (const entry of entries) {
		entry.names ??= [entry.label, ...(entry.synonyms ?? []), entry.id.replaceAll("_", " ")].map(plain);
		entry.more ??= plain(entry.question ?? "");
		const grade = (name) =>
			name.startsWith(words.join(" "))
				? 0
				: words.every((each) =>
							new RegExp(
								`(^|[^\\p{L}\\p{N}])${RegExp.escape?.(each) ?? each.replace(/[^\p{L}\p{N}]/gu, "\\$&")}`,
								"u",
							).test(name),
					  )
					? 1
					: words.every((each) => name.includes(each))
						? 2
						: 9;
		const best = Math.min(...entry.names.map((name, place) => grade(name) + (place ? 0.5 : 0)));
		const score = best < 9 ? best : words.every((each) => entry.more.includes(each)) ? 4 : 9;
		if (score < 9) found.push([score, entry]);
	}
	return found
		.sort((a, b) => a[0] - b[0] || a[1].label.length - b[1].label.length)
		.slice(0, limit)
		.map(([, entry]) => entry);
}

/**
 * A field that one types ahead in (ARIA combobox). `choose(entry, event)` gets what was chosen; with `free`, text that
 * stands in no list may be taken as it is.
 */
export function combobox({ label, hint, entries, note, choose, free = false, pointer }) {
	const id = newId("type");
	const list = h("ul", { id: `${id}-list`, role: "listbox", "aria-label": label, hidden: true });
	const input = h("input", {
		id,
		type: "text",
		role: "combobox",
		autocomplete: "off",
		spellcheck: "false",
		"aria-expanded": "false",
		"aria-controls": list.id,
		"aria-autocomplete": "list",
		"aria-describedby": hint ? `${id}-hint` : null,
		placeholder: t("type.placeholder"),
	});
	let shown = [],
		active = -1;
	const close = () => {
		list.hidden = true;
		list.replaceChildren();
		shown = [];
		active = -1;
		input.setAttribute("aria-expanded", "false");
		input.removeAttribute("aria-activedescendant");
	};
	const take = (entry, event) => {
		input.value = "";
		close();
		choose(entry, event);
		input.focus();
	};
	const mark = (place) => {
		active = place;
		[...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === place)));
		if (place < 0) return input.removeAttribute("aria-activedescendant");
		input.setAttribute("aria-activedescendant", list.children[place].id);
		list.children[place].scrollIntoView({ block: "nearest" });
	};
	const open = () => {
		const text = input.value.trim();
		shown = search(entries(), text);
		if (free && text && !shown.some((entry) => entry.label.toLowerCase() === text.toLowerCase()))
			shown = [...shown, { id: text, label: t("type.asWritten", { text }), free: true }];
		list.replaceChildren(
			...shown.map((entry, place) =>
				h(
					"li",
					{
						id: `${id}-${place}`,
						role: "option",
						"aria-selected": "false",
						onmousedown: (event) => {
							event.preventDefault();
							take(entry, event);
						},
					},
					h("span", {}, entry.label),
					note?.(entry) ? h("small", {}, note(entry)) : null,
				),
			),
		);
		if (text && !shown.length)
			list.replaceChildren(
				h("li", { id: `${id}-none`, role: "option", "aria-disabled": "true", class: "none" }, t("type.nothing")),
			);
		list.hidden = !text;
		if (text) list.scrollIntoView({ block: "nearest" });
		input.setAttribute("aria-expanded", String(!list.hidden));
		mark(shown.length ? 0 : -1);
	};
	input.addEventListener("input", open);
	input.addEventListener("blur", close);
	input.addEventListener("keydown", (event) => {
		if (event.key === "Escape") {
			if (!list.hidden) event.stopPropagation();
			return close();
		}
		if (event.key === "Enter") {
			if (!list.hidden && shown[active]) take(shown[active], event);
			return event.preventDefault();
		}
		const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
		if (!step || !shown.length || list.hidden) return;
		event.preventDefault();
		mark((active + step + shown.length) % shown.length);
	});
	return h(
		"div",
		{ class: "field type", "data-pointer": pointer },
		h("label", { for: id }, label),
		h("div", { class: "combo" }, input, list),
		hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null,
		h("p", { class: "error", hidden: true }),
	);
}
