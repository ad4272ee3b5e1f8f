// Pictures of our own: shapes of the levels, where a nerve root is felt, and how reliable the numbers were.

import { h, percent, s, t } from "./dom.js";

const SHAPES = {
	emergency: "M7 1h10l6 6v10l-6 6H7l-6-6V7z",
	urgent_same_day: "M12 2 23 22H1z",
	urgent_2_weeks: "M12 1 23 12 12 23 1 12z",
	routine: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20z",
	self_care: "M3 3h18v18H3z",
};

/** Each level has a shape of its own, so that colour is never alone. */
export const shape = (level) =>
	s("svg", { class: "shape", viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: SHAPES[level] }));

// One leg from the front and from behind, its outer side on the left; the other is its mirror image. After the areas
// that the root patterns of the rules read: front of thigh, inner ankle, top of foot, outer foot.
const FRONT = {
	L2: "M8 14C4 30 5 48 7 64L48 58 50 26Z",
	L3: "M7 64C8 84 12 104 14 116L44 112C47 96 49 78 48 58Z",
	L5: "M14 116 29 114 27 206 32 222 10 226C8 222 16 214 18 206 13 174 11 142 14 116Z",
	L4: "M29 114 44 112C46 140 40 176 36 206L38 218 32 222 27 206Z",
	S1: "M10 226C5 228 3 224 6 219 10 213 16 211 18 206 16 214 8 222 10 226Z",
};
const BACK = {
	L2: "M8 14C5 22 4 32 5 42L22 34 34 16Z",
	L5: "M5 42C5 72 10 100 13 116 11 144 14 176 18 206L23 206 22 116 20 35Z",
	S1: "M20 35 36 40 33 116 31 206 34 222 12 226C8 222 16 214 18 206L23 206 22 116Z",
	S2: "M36 40 50 40C50 70 47 94 44 114 46 142 40 178 36 206L31 206 33 116Z",
};
const BODY = "M8 14C2 4 8 0 16 -14 20 -24 16 -40 10 -52L56 -52 56 30 50 40 50 26Z";
const PLACES = { L2: [27, 42], L3: [28, 90], L4: [37, 160], L5: [20, 160], S1: [27, 150], S2: [42, 80] };

function leg(areas, held, seen) {
	const parts = Object.entries(areas).map(([root, path]) =>
		s("path", { d: path, class: held.has(root) ? "area held" : "area" }),
	);
	const names = seen
		? Object.keys(areas)
				.filter((root) => held.has(root) && !(root === "S1" && areas === FRONT))
				.map((root) => s("text", { x: PLACES[root][0], y: PLACES[root][1] }, root))
		: [];
	return [s("path", { d: BODY, class: "trunk" }), parts, names];
}

/** Where a root is felt; null where the text names none. `said` is the root level as the answer words it. */
export function rootSketch(said) {
	const held = roots(said);
	if (!held.size) return null;
	const view = (areas, x, name) =>
		s(
			"g",
			{ transform: `translate(${x} 62)` },
			s("g", {}, leg(areas, held, true)),
			s("g", { transform: "translate(112 0) scale(-1 1)" }, leg(areas, held, false)),
			s("text", { x: 56, y: 248, class: "name" }, name),
		);
	const label = t("sketch.label", { roots: [...held].join(", ") });
	return h(
		"figure",
		{ class: "sketch" },
		s(
			"svg",
			{ viewBox: "0 0 256 316", role: "img", "aria-label": label },
			view(FRONT, 6, t("sketch.front")),
			view(BACK, 138, t("sketch.back")),
		),
		h("figcaption", {}, t("sketch.caption", { said })),
	);
}

/** The roots that a text names: "L5", or a range such as "L2 to L4", from its part before the first comma. */
export function roots(said) {
	const order = ["L2", "L3", "L4", "L5", "S1"];
	const first = (said ?? "").split(/[,(]/)[0].match(/\b(L[2-5]|S1)\b/g) ?? [];
	const [low, high] = [order.indexOf(first[0]), order.indexOf(first.at(-1))];
	return new Set(first.length ? order.slice(low, high + 1) : []);
}

/** How sure the first diagnosis was (across) against how often it was right (up), with 95 % intervals. */
export function reliabilityPlot(rows) {
	const [left, top, size] = [62, 12, 270];
	const x = (share) => left + share * size,
		y = (share) => top + (1 - share) * size;
	const steps = [0, 0.25, 0.5, 0.75, 1];
	const most = Math.max(...rows.map(({ cases }) => cases));
	return s(
		"svg",
		{ class: "plot", viewBox: "0 0 360 334", role: "img", "aria-label": t("plot.label") },
		steps.map((share) => [
			s("line", { class: "grid", x1: x(0), x2: x(1), y1: y(share), y2: y(share) }),
			s("line", { class: "grid", x1: x(share), x2: x(share), y1: y(0), y2: y(1) }),
			s("text", { x: x(share), y: y(0) + 16, "text-anchor": "middle" }, percent(share)),
			s("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share)),
		]),
		s("line", { class: "ideal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
		rows.map(({ said, right, cases, right_interval: [low, high] }) =>
			s(
				"g",
				{ class: "point" },
				s("line", { x1: x(said), x2: x(said), y1: y(low), y2: y(high) }),
				s("circle", { cx: x(said), cy: y(right), r: 4 + 6 * Math.sqrt(cases / most) }),
				s("title", {}, t("plot.point", { said: percent(said), right: percent(right), n: cases })),
			),
		),
		s("text", { x: x(0.5), y: y(0) + 36, "text-anchor": "middle", class: "name" }, t("plot.said")),
		s(
			"text",
			{ transform: `translate(14 ${y(0.5)}) rotate(-90)`, "text-anchor": "middle", class: "name" },
			t("plot.right"),
		),
	);
}
