// Everything that the page asks of the service: /v1 only. The key, where one is needed, stays in this variable.

import { h, t } from "./dom.js";

const PATIENCE = 15000;
let key = "";
let asking = null;
let declined = 0; // how often no key was given: what had been asked before that does not ask again

/** What went wrong: the status (0: no connection), a sentence, and the places of bad values. */
export class Failure extends Error {
	constructor(status, detail, errors = []) {
		super(detail);
		Object.assign(this, { status, detail, errors });
	}
}

export async function call(path, { body, signal } = {}) {
	const before = declined;
	for (;;) {
		const used = key;
		const response = await send(path, body, signal);
		if (response.ok) return response.json();
		const problem = await response.json().catch(() => ({}));
		if (response.status === 401) {
			if (before !== declined) throw new Failure(401, t("key.needed"));
			if (used === key) await askForKey(used ? t("key.wrong") : "");
			continue;
		}
		throw new Failure(response.status, problem.detail ?? response.statusText, problem.errors);
	}
}

async function send(path, body, signal) {
	const headers = {
		...(key && { Authorization: `Bearer ${key}` }),
		...(body && { "Content-Type": "application/json" }),
	};
	const stop = AbortSignal.any([AbortSignal.timeout(PATIENCE), ...(signal ? [signal] : [])]);
	try {
		return await fetch(path, {
			method: body ? "POST" : "GET",
			headers,
			body: body && JSON.stringify(body),
			signal: stop,
			credentials: "omit",
			cache: "no-store",
		});
	} catch (error) {
		if (signal?.aborted) throw error;
		throw new Failure(0, t(error.name === "TimeoutError" ? "error.slow" : "error.offline"));
	}
}

function askForKey(complaint) {
	asking ??= new Promise((resolve, reject) => {
		const input = h("input", {
			id: "key",
			type: "password",
			autocomplete: "off",
			required: true,
			"aria-describedby": "key-hint",
		});
		const dialog = h(
			"dialog",
			{ "aria-labelledby": "key-title" },
			h(
				"form",
				{ method: "dialog" },
				h("h2", { id: "key-title" }, t("key.title")),
				complaint && h("p", { class: "error", role: "alert" }, complaint),
				h("label", { for: "key" }, t("key.label")),
				input,
				h("p", { class: "hint", id: "key-hint" }, t("key.hint")),
				h(
					"div",
					{ class: "buttons" },
					h("button", { value: "use", class: "primary" }, t("key.use")),
					h("button", { type: "button", onclick: () => dialog.close("") }, t("cancel")),
				),
			),
		);
		dialog.addEventListener("close", () => {
			dialog.remove();
			asking = null;
			if (dialog.returnValue === "use" && input.value.trim()) resolve((key = input.value.trim()));
			else if (++declined) reject(new Failure(401, t("key.needed")));
		});
		document.body.append(dialog);
		dialog.showModal();
		input.focus();
	});
	return asking;
}

const lists = new Map();

/** The entries of a list, asked for once. */
export function list(kind) {
	if (!lists.has(kind)) {
		const found = call(`v1/${kind}?detail=form`).then(({ items }) => items);
		found.catch(() => lists.delete(kind));
		lists.set(kind, found);
	}
	return lists.get(kind);
}
