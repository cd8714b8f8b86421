"use strict";
// Shows openapi.json to people. Its strings become text nodes, never HTML.

const METHODS = ["get", "head", "post", "put", "delete"];
// How deep nested schemas are shown.
const DEPTH_MAX = 6;

let openapi;

// An element with these attributes and children; texts become text nodes.
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// Text with code in backticks.
function prose(text) {
  return (text ?? "").split("`").map((part, index) => (index % 2 ? make("code", null, part) : part));
}

// The target of a reference, merged with its sibling keys.
function resolve(value) {
  if (!value?.$ref) return value ?? {};
  const { $ref, ...beside } = value;
  const found = $ref.slice(2).split("/").reduce((at, part) => at?.[part.replaceAll("~1", "/").replaceAll("~0", "~")], openapi);
  return { ...resolve(found), ...beside };
}

function nameOf(value) {
  return value?.$ref?.split("/").pop();
}

// The type of a value in a few words: "string (uuid)", "list of Message", "Message or null".
function kind(schema) {
  if (schema === undefined) return "anything";
  const own = resolve(schema);
  const name = nameOf(schema);
  if (own.type === "object" && name) return name;
  if ("const" in own) return JSON.stringify(own.const);
  if (own.enum) return own.enum.map((word) => JSON.stringify(word)).join(", ");
  const either = own.oneOf ?? (own.type === "object" ? undefined : own.anyOf);
  if (either) return name ?? [...new Set(either.map(kind))].join(" or ");
  if (own.allOf) return own.allOf.map(kind)[0];
  if (own.type === "array") return `list of ${kind(own.items)}`;
  const types = [own.type ?? "anything"].flat().join(" or ");
  const form = own.format ?? (name === "Time" ? "time" : undefined);
  return form ? `${types} (${form})` : types;
}

// The limits of a value, for people.
function limits(schema) {
  const own = resolve(schema);
  const parts = [];
  if (own.minLength > 0 && own.maxLength) parts.push(`${own.minLength} to ${own.maxLength} characters`);
  else if (own.maxLength) parts.push(`up to ${own.maxLength} characters`);
  if (own.maximum !== undefined && own.maximum < 1e9) parts.push(`${own.minimum ?? ""} to ${own.maximum}`);
  else if (own.minimum !== undefined) parts.push(`from ${own.minimum}`);
  if (own.maxItems) parts.push(`up to ${own.maxItems}`);
  if (own.default !== undefined) parts.push(`default ${JSON.stringify(own.default)}`);
  return parts.join(", ");
}

// The object schemas within a schema.
function objects(schema) {
  const own = resolve(schema);
  if (own.properties && own.type === "object") return [own];
  if (own.type === "array") return objects(own.items);
  return [...(own.oneOf ?? []), ...(own.anyOf ?? []), ...(own.allOf ?? [])].flatMap(objects);
}

function properties(schema, depth) {
  return objects(schema).flatMap((object, number) => {
    const rows = Object.entries(object.properties).map(([name, property]) => {
      const own = resolve(property);
      const needed = object.required?.includes(name);
      const inner = depth < DEPTH_MAX ? properties(property, depth + 1) : [];
      const opened = inner.length
        ? make("details", null, make("summary", null, "its properties"), ...inner)
        : null;
      return make("li", null,
        make("code", { class: "name" }, name), " ",
        make("span", { class: "kind" }, kind(property)), " ",
        make("span", { class: "note" }, [needed ? "" : "optional", limits(property)].filter(Boolean).join("; ")),
        make("span", { class: "about" }, ...prose(own.description)), opened);
    });
    const list = make("ul", { class: "properties" }, ...rows);
    return number ? [make("p", { class: "or" }, "or"), list] : [list];
  });
}

function parameters(list) {
  const rows = (list ?? []).map(resolve).map((one) => make("li", null,
    make("code", { class: "name" }, one.name), " ",
    make("span", { class: "kind" }, kind(one.schema)), " ",
    make("span", { class: "note" }, [`in the ${one.in}`, one.required ? "needed" : "", limits(one.schema)].filter(Boolean).join("; ")),
    make("span", { class: "about" }, ...prose(one.description))));
  return rows.length ? [make("h3", null, "Parameters"), make("ul", { class: "properties" }, ...rows)] : [];
}

function contents(content) {
  return Object.entries(content ?? {}).flatMap(([type, { schema, example }]) => [
    make("p", { class: "type" }, make("code", null, type), " ", make("span", { class: "kind" }, schema ? kind(schema) : "bytes")),
    ...properties(schema, 0),
    example === undefined ? null : make("pre", { tabindex: "0", "aria-label": "Example" }, JSON.stringify(example, null, 2)),
  ]);
}

function request(body) {
  if (!body) return [];
  return [make("h3", null, "Body", body.required ? "" : " (optional)"), ...contents(body.content)];
}

function answers(responses) {
  const rows = Object.entries(responses).map(([status, response]) => {
    const own = resolve(response);
    const head = [make("span", { class: status < "4" ? "status good" : "status" }, status), " ", ...prose(own.description)];
    const good = status < "4";
    const headers = Object.entries(own.headers ?? {}).map(([name, header]) => make("li", null,
      make("code", { class: "name" }, name), " ", make("span", { class: "note" }, "header"),
      make("span", { class: "about" }, ...prose(header.description))));
    const reasons = objects(own.content?.["application/json"]?.schema).length && !good ? reasonsOf(own) : [];
    const inner = good ? contents(own.content) : reasons;
    return make("li", null, ...head, headers.length ? make("ul", { class: "properties" }, ...headers) : null, ...inner);
  });
  return [make("h3", null, "Responses"), make("ul", { class: "answers" }, ...rows)];
}

// The reasons of an error.
function reasonsOf(response) {
  const refined = response.content["application/json"].schema.allOf?.[1];
  const words = refined?.properties.error.properties.reason.enum ?? [];
  return words.length ? [make("p", { class: "reasons" }, ...words.flatMap((word) => [make("code", null, word), " "]))] : [];
}

function security(path, operation) {
  // A call that the server itself makes.
  if (!path.startsWith("/")) return null;
  const needed = operation.security ?? openapi.security;
  if (!needed.length) return make("p", { class: "note" }, "Needs no token.");
  const names = needed.flatMap((one) => Object.keys(one)).map((name) => {
    const scheme = openapi.components.securitySchemes[name];
    return scheme.scheme ? "header Authorization: Bearer" : `${scheme.in} ${scheme.name}`;
  });
  return make("p", { class: "note" }, `Needs one of: ${names.join(", ")}.`);
}

function operation(path, method, described) {
  return make("details", { class: "operation", id: described.operationId },
    make("summary", null,
      make("span", { class: `method ${method}` }, method.toUpperCase()), " ",
      make("code", { class: "path" }, ...path.split(/(?<=\/)/).flatMap((part) => [part, make("wbr")])), " ",
      make("span", { class: "what" }, described.summary)),
    make("p", null, ...prose(described.description)), security(path, described),
    ...parameters(described.parameters), ...request(described.requestBody), ...answers(described.responses));
}

function show() {
  document.getElementById("summary").textContent = openapi.info.summary;
  document.getElementById("version").textContent = `version ${openapi.info.version}`;
  const items = [...Object.entries(openapi.paths), ...Object.entries(openapi.webhooks ?? {})];
  const all = items.flatMap(([path, item]) => METHODS.filter((method) => item[method]).map((method) => [path, method, item[method]]));
  const sections = openapi.tags.map(({ name }, number) => {
    const own = all.filter(([, , described]) => described.tags.includes(name));
    return make("section", { id: `part-${number}`, "aria-labelledby": `title-${number}` }, make("h2", { id: `title-${number}` }, name), ...own.map((one) => operation(...one)));
  });
  document.getElementById("contents").append(...openapi.tags.map(({ name }, number) => make("li", null, make("a", { href: `#part-${number}` }, name))));
  document.getElementById("state").remove();
  document.getElementById("operations").append(make("p", null, ...prose(openapi.info.description)), ...sections);
  open();
}

// Opens the operation in the URL's fragment.
function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName === "DETAILS") target.open = true;
  if (location.hash) target?.scrollIntoView({ behavior: "instant" });
}

async function start() {
  const answer = await fetch("openapi.json", { credentials: "omit" });
  if (!answer.ok) throw new Error(`openapi.json: ${answer.status}`);
  openapi = await answer.json();
  show();
}

addEventListener("hashchange", open);
start().catch((error) => { document.getElementById("state").textContent = `openapi.json could not be read: ${error.message}`; });
