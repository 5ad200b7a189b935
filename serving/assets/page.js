"use strict";
(() => {
  const settings = JSON.parse(document.getElementById("settings").textContent);
  const { fields, texts, language, target, ranges } = settings;
  const byName = new Map(fields.map((field) => [field.name, field]));
  const at = (id) => document.getElementById(id);
  let lastBody = "";
  const keyField = at("key"), historyField = at("history"), buttons = [at("predict"), at("explain")];

  // words and numbers

  const say = (key, values = {}) => texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const figure = (value) => new Intl.NumberFormat(language, { maximumSignificantDigits: 5 }).format(value);
  const percents = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  const bytes = (count) => (count >= 1e6 ? `${figure(count / 1e6)} MB` : `${figure(Math.ceil(count / 100) / 10)} kB`);
  const withUnit = (value) => (target.unit ? `${figure(value)} ${target.unit}` : figure(value));

  /** Return a share in percent; only what is certain is called 0 % or 100 %. */
  function percent(share) {
    if (share > 0 && share < 0.001) return `< ${percents.format(0.001)}`;
    return share < 1 && share > 0.999 ? `> ${percents.format(0.999)}` : percents.format(share);
  }

  function words(value) {
    if (value === null || value === undefined) return "–";
    if (typeof value === "boolean") return say(String(value));
    if (typeof value === "number") return figure(value);
    if (Array.isArray(value)) return value.map(words).join(", ");
    if (typeof value !== "object") return String(value);
    if (typeof value[language] === "string") return value[language];
    return Object.entries(value).map(([name, part]) => `${name}: ${words(part)}`).join("; ");
  }

  /** Make an element; children that are texts stay texts, whatever they hold. */
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  // what was typed, as the service takes it

  class Unclear extends Error {}

  class Refusal extends Error {
    constructor(status, problem) {
      super(problem.detail);
      Object.assign(this, { status, problem });
    }
  }

  /** Return the number that a person means, in German or English notation; what is none goes to the service as it is, which says so best. */
  function number(typed, whole) {
    const compact = typed.replace(/[\s\u00a0\u202f']/g, "").replace(/^[\u2212\u2013]/, "-");
    const parts = /^([+-]?)([\d.,]+)(e[+-]?\d+)?$/i.exec(compact);
    if (!parts) return typed;
    const [, sign, mantissa, exponent = ""] = parts;
    const digits = plainDigits(mantissa, typed);
    const value = digits === null ? NaN : Number(sign + digits + exponent);
    const lossy = whole && Number.isInteger(value) && !Number.isSafeInteger(value);
    return Number.isFinite(value) && !lossy ? value : typed;
  }

  function plainDigits(mantissa, typed) {
    const dots = mantissa.split(".").length - 1, commas = mantissa.split(",").length - 1;
    if (dots + commas === 0) return mantissa;
    if (dots && commas) {
      const decimal = mantissa.lastIndexOf(".") > mantissa.lastIndexOf(",") ? "." : ",";
      const [whole, fraction, ...more] = mantissa.split(decimal);
      return more.length ? null : `${ungrouped(whole, decimal === "." ? "," : ".")}.${fraction}`;
    }
    const found = dots ? "." : ",";
    if (dots + commas > 1) return ungrouped(mantissa, found);
    const own = language === "de" ? "," : ".";
    if (found !== own && /^[1-9]\d{0,2}.\d{3}$/.test(mantissa)) {
      throw new Unclear(say("ambiguous", { found: typed, first: mantissa.replace(found, own), second: mantissa.replace(found, "") }));
    }
    return mantissa.replace(",", ".");
  }

  function ungrouped(text, sign) {
    const groups = text.split(sign);
    const good = groups.length === 1 || (/^\d{1,3}$/.test(groups[0]) && groups.slice(1).every((group) => /^\d{3}$/.test(group)));
    return good ? groups.join("") : null;
  }

  function truth(typed) {
    const known = { true: true, false: false, yes: true, no: false, ja: true, nein: false, wahr: true, falsch: false, 1: true, 0: false };
    const said = typed.trim().toLowerCase();
    return Object.hasOwn(known, said) ? known[said] : typed;
  }

  /** Return the value of one cell; ``chosen`` from a list, so in the notation of JSON already. */
  function cell(type, typed, chosen) {
    if (type === "number" || type === "integer") return chosen ? Number(typed) : number(typed, type === "integer");
    return type === "boolean" ? truth(typed) : typed;
  }

  function base64(file) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
      reader.onerror = () => reject(new Unclear(String(reader.error)));
      reader.readAsDataURL(file);
    });
  }

  async function read(field) {
    const input = at(field.id);
    if (field.type !== "file") return input.value.trim() === "" ? undefined : cell(field.type, input.value, input.tagName === "SELECT");
    const file = input.files[0];
    if (!file) return undefined;
    if (field.maxBytes !== null && file.size > field.maxBytes) throw new Unclear(say("too_large", { size: bytes(field.maxBytes) }));
    return base64(file);
  }

  /** Return the form's row; null if a field cannot be understood, which then says so. */
  async function row() {
    const cells = [];
    let clear = true;
    for (const field of fields) {
      try {
        const value = await read(field);
        if (value !== undefined) cells.push([field.name, value]);
      } catch (error) {
        if (!(error instanceof Unclear)) throw error;
        blame(field.id, error.message);
        clear = false;
      }
    }
    return clear ? Object.fromEntries(cells) : null;
  }

  // earlier rows as CSV or JSON

  function earlierRows() {
    const typed = historyField ? historyField.value.trim() : "";
    if (!typed) return [];
    if (!typed.startsWith("[")) return table(typed);
    try {
      return JSON.parse(typed);
    } catch (error) {
      throw new Unclear(say("history_json", { detail: error.message }));
    }
  }

  function table(typed) {
    const first = typed.split("\n", 1)[0];
    const delimiter = [";", "\t", ","].reduce((best, sign) => (first.split(sign).length > first.split(best).length ? sign : best));
    const [names, ...lines] = records(typed, delimiter);
    return lines.map((values, index) => {
      const line = index + 2;
      if (values.length !== names.length) throw new Unclear(say("history_width", { line, found: values.length, expected: names.length }));
      return Object.fromEntries(names.map((name, i) => [name.trim(), historyCell(name.trim(), values[i].trim(), line)]).filter((entry) => entry[1] !== ""));
    });
  }

  function historyCell(name, typed, line) {
    try {
      return typed === "" ? "" : cell(byName.get(name)?.type, typed, false);
    } catch (error) {
      if (error instanceof Unclear) error.message = say("history_value", { line, column: name, detail: error.message });
      throw error;
    }
  }

  /** Split CSV (RFC 4180) into records; empty lines are left out. */
  function records(typed, delimiter) {
    const found = [];
    let record = [], value = "", quoted = false;
    const end = () => {
      record.push(value);
      if (record.length > 1 || value.trim()) found.push(record);
      record = [];
      value = "";
    };
    for (let i = 0; i < typed.length; i += 1) {
      const sign = typed[i];
      if (quoted && sign === '"' && typed[i + 1] === '"') { value += '"'; i += 1; }
      else if (sign === '"' && (quoted || value === "")) quoted = !quoted;
      else if (!quoted && sign === delimiter) { record.push(value); value = ""; }
      else if (!quoted && sign === "\n") end();
      else if (quoted || sign !== "\r") value += sign;
    }
    end();
    return found;
  }

  // messages where they belong

  function blame(id, message) {
    const note = at(`${id}-error`);
    note.textContent = note.hidden ? message : `${note.textContent} ${message}`;
    note.hidden = false;
    at(id).setAttribute("aria-invalid", "true");
  }

  function clearField(id) {
    for (const kind of ["error", "flag"]) {
      const note = at(`${id}-${kind}`);
      if (note) { note.hidden = true; note.textContent = ""; }
    }
    at(id).removeAttribute("aria-invalid");
    at(id).classList.remove("flagged");
  }

  function clearAll() {
    for (const input of document.querySelectorAll("#form :is(input, select, textarea)")) clearField(input.id);
    for (const id of ["status", "headline", "answer"]) at(id).replaceChildren();
    at("headline").classList.remove("alarm");
  }

  function refuse(title, ...details) {
    at("headline").replaceChildren();
    at("status").replaceChildren(make("div", { className: "notice bad" }, make("strong", {}, title), ...details.map((said) => make("p", {}, said))));
    document.querySelector("#form [aria-invalid]")?.focus();
  }

  /** Put every message of the service at the field that it speaks of, and the rest above the answer. */
  function showProblem({ status, problem }) {
    const rest = [];
    let historical = 0;
    for (const error of problem.errors ?? []) {
      const key = (error.pointer ?? "").split("/")[1];
      const field = byName.get(error.column);
      if (key === "rows" && field) blame(field.id, error.detail);
      else if (key !== "history" || !historyField) rest.push(error.detail);
      else if (historical++ < 3) blame("history", error.detail);
    }
    if (keyField && (status === 401 || status === 403)) blame("key", problem.detail);
    const placed = document.querySelector("#form [aria-invalid]") !== null;
    refuse(problem.title, ...(rest.length ? rest : [placed ? say("look_at_fields") : problem.detail]));
  }

  // asking

  async function post(path, body) {
    const headers = { "Content-Type": "application/json", "Accept-Language": language };
    const key = keyField ? keyField.value.replace(/[^\x21-\x7e]/g, "") : "";
    if (key) headers.Authorization = `Bearer ${key}`;
    let response, content;
    try {
      response = await fetch(path, { method: "POST", headers, body });
    } catch {
      throw new Refusal(0, { title: say("refused"), detail: say("unreachable") });
    }
    try {
      content = await response.json();
    } catch {
      throw new Refusal(response.status, { title: say("refused"), detail: say("no_answer", { status: response.status }) });
    }
    if (!response.ok) throw new Refusal(response.status, content);
    return content;
  }

  /** Return the request's body; null if something cannot be understood, which the fields then say. */
  async function request() {
    const asked = await row();
    let earlier = [];
    try {
      earlier = earlierRows();
    } catch (error) {
      if (!(error instanceof Unclear)) throw error;
      blame("history", error.message);
      return null;
    }
    return asked && JSON.stringify({ rows: [asked], ...(earlier.length ? { history: earlier } : {}) });
  }

  async function ask(path) {
    clearAll();
    for (const button of buttons) button.disabled = true;
    at("headline").replaceChildren(make("span", { className: "about" }, say("working")));
    const body = await request();
    lastBody = body;
    try {
      if (body === null) refuse(say("refused"), say("look_at_fields"));
      else show(await post(path, body));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      showProblem(error);
    } finally {
      for (const button of buttons) button.disabled = false;
      if (body !== null) showRequest(path, body);
    }
  }

  function showRequest(path, body) {
    const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
    const key = keyField ? ' -H "Authorization: Bearer $LEITSTAND_KEY"' : "";
    const url = new URL(path, window.location.href.split("?")[0]).href;
    const command = `curl -X POST ${quoted(url)}${key} -H 'Content-Type: application/json' -d ${quoted(body)}`;
    const shown = body.length > 20000 ? say("request_large", { size: bytes(body.length) }) : command;
    at("raw").replaceChildren(make("h3", {}, say("request")), make("pre", { tabIndex: 0 }, shown));
  }

  // answering

  /** Show the one answer of a response: its headline, and whatever parts there are below. */
  function show({ predictions, explanations, model }) {
    const answer = (predictions ?? explanations)[0];
    const prediction = predictions ? answer.prediction : answer.answer;
    const newer = model.version !== settings.version;
    const parts = [
      ...(predictions ? told(answer, model) : explained(answer)),
      newer ? make("p", { className: "notice warn" }, say("newer_model", { version: model.version })) : null,
    ];
    for (const id of ["headline", "answer"]) at(id).classList.toggle("alarm", settings.task === "anomaly" && prediction === true);
    at("headline").replaceChildren(make("span", { className: "about" }, target.label), make("span", { className: "value" }, headline(prediction)));
    at("answer").replaceChildren(...parts.filter((part) => part !== null));
    at("headline").scrollIntoView({ block: "nearest" });
  }

  function told(answer, model) {
    const parts = [interval(answer), chances(answer.probabilities), score(answer), ...answer.flags.map(flag), advice(answer.advice)];
    return [...parts, identity(answer, model), truthForm(answer.id)];
  }

  function headline(prediction) {
    if (prediction === null) return say("no_prediction");
    if (settings.task === "anomaly") return say(prediction ? "anomalous" : "normal");
    return settings.task === "regression" ? withUnit(prediction) : words(prediction);
  }

  function interval({ lower, upper }) {
    if (lower === null || upper === null) return null;
    const bounds = { lower: figure(lower), upper: withUnit(upper) };
    return make("p", {}, settings.confidence ? say("interval_sure", { ...bounds, percent: percent(settings.confidence) }) : say("interval", bounds));
  }

  function track(from, to, className = "", mark = null) {
    const bar = make("i", { className });
    bar.style.left = `${100 * from}%`;
    bar.style.width = `${100 * (to - from)}%`;
    const made = make("span", { className: "track", "aria-hidden": "true" }, bar);
    if (mark !== null) made.append(make("b", {}));
    if (mark !== null) made.lastChild.style.left = `${100 * mark}%`;
    return made;
  }

  function chances(probabilities) {
    if (!probabilities) return null;
    const sorted = Object.entries(probabilities).sort((one, two) => two[1] - one[1]);
    const line = ([name, chance]) => make("li", {}, make("span", {}, name), make("span", { className: "percent" }, percent(chance)), track(0, chance));
    const list = make("ul", { className: "chances" }, ...sorted.slice(0, 8).map(line));
    if (sorted.length > 8) list.append(make("li", { className: "quiet" }, say("more_classes", { count: sorted.length - 8 })));
    return list;
  }

  function score({ score: value }) {
    if (settings.task !== "anomaly" || value === null) return null;
    const limit = settings.threshold;
    if (limit === null) return make("p", {}, say("score_alone", { score: figure(value) }));
    const low = Math.min(0, value, limit), high = Math.max(value, limit);
    const place = (level) => (high > low ? (level - low) / (1.25 * (high - low)) : 0);
    return make("div", { className: "chances" }, make("p", {}, say("score", { score: figure(value), threshold: figure(limit) })), track(0, place(value), "", place(limit)));
  }

  function flag({ name, columns }) {
    const labels = columns.map((column) => byName.get(column)?.label ?? column);
    for (const column of columns) {
      const field = byName.get(column);
      if (!field) continue;
      const bounds = ranges[column];
      const note = at(`${field.id}-flag`);
      note.textContent = bounds ? say("flag_field_range", { lower: figure(bounds[0]), upper: figure(bounds[1]) }) : say("flag_field");
      note.hidden = false;
      at(field.id).classList.add("flagged");
    }
    const said = `flag_${name}` in texts ? say(`flag_${name}`, { columns: labels.join(", ") }) : [name, ...labels].join(": ");
    return make("p", { className: "notice warn" }, said);
  }

  function advice(found) {
    if (!found) return null;
    const { message, ...others } = found;
    const made = make("div", {}, make("h3", {}, say("advice")));
    if (message) made.append(make("p", {}, words(message)));
    const lines = Object.entries(others).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, words(value))]);
    if (lines.length) made.append(make("dl", {}, ...lines));
    return made;
  }

  function identity(answer, model) {
    const by = say("answered_by", { version: model.version, data: model.data_version.slice(0, 12) });
    return make("p", { className: "hint" }, `${say("prediction_id")} `, make("code", { id: "prediction-id" }, answer.id), make("br"), by);
  }

  // why

  function explained(found) {
    for (const doubt of found.flags) flag(doubt);
    const largest = Math.max(...found.contributions.map((part) => Math.abs(part.contribution)), Number.MIN_VALUE);
    const shown = found.contributions.slice(0, 12), others = found.contributions.slice(12);
    const list = make("ul", { className: "chances" }, ...shown.map((part) => share(part, largest)));
    if (others.length) {
      const sum = others.reduce((total, part) => total + part.contribution, 0);
      list.append(line(say("other_columns", { count: others.length }), amount(sum, largest)));
    }
    const near = make("div");
    const button = make("button", { type: "button", className: "second" }, say("examples"));
    button.addEventListener("click", () => showExamples(near, button));
    return [
      ...found.words.map((sentence) => make("p", {}, sentence)), make("h3", {}, found.unit),
      make("ul", { className: "chances" }, line(say("base", { rows: found.background_rows }), level(found.base))), list,
      make("ul", { className: "chances" }, line(say("this_answer"), level(found.prediction))), make("p", { className: "truth" }, button), near,
    ];
  }

  function line(name, said, ...more) {
    return make("li", {}, make("span", {}, name), make("span", { className: "percent" }, said), ...more);
  }

  function share({ column, value, contribution }, largest) {
    const label = byName.get(column)?.label ?? column;
    const half = Math.abs(contribution) / largest / 2;
    const bar = contribution < 0 ? track(0.5 - half, 0.5, "negative", 0.5) : track(0.5, 0.5 + half, "", 0.5);
    return line(value === null ? label : `${label} = ${words(value)}`, amount(contribution, largest), bar);
  }

  function level(value) {
    if (settings.task === "classification") return percent(value);
    return settings.task === "regression" ? withUnit(value) : figure(value);
  }

  /** Return a contribution with as many decimals as show three figures of the largest: smaller ones are next to nothing. */
  function amount(value, largest) {
    const scale = settings.task === "classification" ? 100 : 1;
    const decimals = Math.min(12, Math.max(0, 2 - Math.floor(Math.log10(scale * largest))));
    const form = { minimumFractionDigits: decimals, maximumFractionDigits: decimals, signDisplay: "exceptZero" };
    const said = new Intl.NumberFormat(language, form).format(scale * value);
    return scale === 100 ? say("points", { figure: said }) : said;
  }

  async function showExamples(near, button) {
    button.disabled = true;
    try {
      const { explanations: [{ examples }] } = await post("explain", JSON.stringify({ ...JSON.parse(lastBody), examples: 5 }));
      near.replaceChildren(...examples.map(example));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      near.replaceChildren(make("p", { className: "notice bad" }, error.message));
    } finally {
      button.disabled = false;
    }
  }

  function example({ values, label, distance }) {
    const lines = Object.entries(values).flatMap(([name, value]) => [make("dt", {}, byName.get(name)?.label ?? name), make("dd", {}, words(value))]);
    const title = say("example", { label: words(label), distance: Number(distance.toPrecision(2)).toLocaleString(language) });
    return make("details", {}, make("summary", {}, title), make("dl", {}, ...lines));
  }

  // the truth, fed back

  function truthForm(id) {
    const choices = target.allowed.length ? target.allowed.map((value) => [String(value), words(value)]) : target.type === "boolean" ? ["true", "false"].map((value) => [value, say(value)]) : null;
    const input = choices
      ? make("select", { id: "truth" }, ...[["", say("choose")], ...choices].map(([value, shown]) => make("option", { value }, shown)))
      : make("input", { id: "truth", type: "text", inputMode: target.type === "number" || target.type === "integer" ? "decimal" : "text" });
    input.setAttribute("aria-describedby", "truth-hint truth-error");
    const note = make("p", { id: "truth-note", role: "status" });
    const button = make("button", { className: "second" }, say("truth_send"));
    const form = make(
      "form", { className: "truth", noValidate: true },
      make("label", { htmlFor: "truth" }, say("truth")), make("div", { className: "row" }, input, button),
      make("p", { id: "truth-hint", className: "hint" }, say("truth_hint")), make("p", { id: "truth-error", className: "error", hidden: true }), note,
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      clearField("truth");
      button.disabled = true;
      await sendTruth(id, input, note);
      button.disabled = false;
    });
    return form;
  }

  async function sendTruth(id, input, note) {
    note.replaceChildren();
    try {
      const value = cell(target.type, input.value, input.tagName === "SELECT" && input.value !== "");
      const told = await post("feedback", JSON.stringify({ labels: [{ id, value }] }));
      note.append(make("span", { className: "badge good" }, say(told.matched ? "truth_noted" : "truth_unknown")));
    } catch (error) {
      if (!(error instanceof Unclear || error instanceof Refusal)) throw error;
      blame("truth", error.message);
      input.focus();
    }
  }

  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    ask("predict");
  });
  at("explain").addEventListener("click", () => ask("explain"));
  at("form").addEventListener("input", (event) => clearField(event.target.id));
})();
