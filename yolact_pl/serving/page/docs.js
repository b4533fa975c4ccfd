// The addresses of the server as a page, from its OpenAPI description.

const api = await (await fetch("openapi.json")).json();
const main = document.getElementById("operations");

for (const [path, operations] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(operations)) {
    main.append(element("h2", `${method.toUpperCase()} ${path}`));
    main.append(element("p", operation.description ?? operation.summary));
    const body = operation.requestBody;
    if (body) {
      main.append(element("p", `Body: ${body.description}`));
      for (const { example } of Object.values(body.content)) {
        if (example) main.append(element("pre", JSON.stringify(example, null, 2)));
      }
    }
    if (operation.parameters?.length) main.append(table(operation.parameters));
  }
}

function table(parameters) {
  const rows = parameters.map((one) => {
    const row = document.createElement("tr");
    row.append(element("th", one.name), element("td", one.in), element("td", type(one.schema)));
    return row;
  });
  const made = document.createElement("table");
  made.append(...rows);
  return made;
}

function type(schema) {
  if (schema.anyOf) return schema.anyOf.filter((one) => one.type !== "null").map(type).join(" or ");
  if (schema.enum) return schema.enum.join(", ");
  const named = [
    ["minimum", "at least"],
    ["maximum", "at most"],
    ["exclusiveMaximum", "below"],
    ["default", "by default"],
  ];
  const limits = named.filter(([key]) => key in schema).map(([key, word]) => `${word} ${schema[key]}`);
  const name = schema.type === "array" ? `${schema.items.type}, may be repeated` : schema.type;
  return [name, ...limits].join(", ");
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
