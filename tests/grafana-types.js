#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 The pmdakvm authors
//
// grafana-types.js MODULES [FILE]...: hold dashboards (those of fleet/grafana) against the types of
// @grafana/schema, with the compiler of typescript; MODULES is a node_modules folder that has both. Prints each
// complaint of the compiler, then "KEY<tab>TYPE" for each key that a type has, and fails if there was a complaint
// or if tests/data/fleet/panel-keys says otherwise. "make check-grafana MODULES=FOLDER" runs it.
"use strict";
const fs = require("fs");
const path = require("path");

const TOP = path.join(__dirname, "..");
const MODULES = path.resolve(process.argv[2]);
const ts = require(path.join(MODULES, "typescript"));
const SCHEMA = path.join(MODULES, "@grafana", "schema");
// What a type of panel can have: the file of its types, and the name of those of its lines
const PANELS = { timeseries: "TimeSeriesPanelCfg", heatmap: "HeatmapPanelCfg", stat: "StatPanelCfg", table: "TablePanelCfg" };

// files below a folder whose name begins so
function find(folder, name) {
	for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
		const inner = path.join(folder, entry.name);
		if (entry.isDirectory()) {
			const found = find(inner, name);
			if (found)
				return found;
		} else if (entry.name.startsWith(name) && entry.name.endsWith(".gen.d.ts")) {
			return inner.replace(/\.d\.ts$/, "");
		}
	}
	return null;
}

// The program: each dashboard as a literal of the type that it should have. The schema leaves a panel's options open,
// and wants keys that Grafana has defaults for.
function source(dashboard) {
	const lines = ['import type { Dashboard, Panel, FieldConfig, DataQuery } from "@grafana/schema";'];
	for (const [kind, name] of Object.entries(PANELS))
		lines.push(`import type * as ${kind} from ${JSON.stringify(find(SCHEMA, name))};`);
	const { panels, ...rest } = dashboard;
	lines.push(`const dashboard: Dashboard = ${JSON.stringify(rest)};`);
	for (const panel of panels) {
		if (!PANELS[panel.type])
			throw new Error(`${dashboard.uid}: no types for panels of type ${panel.type}`);
		const custom = panel.type === "stat" ? "{}" : `Partial<${panel.type}.FieldConfig>`;
		const { options, fieldConfig, targets, transformations, ...others } = panel;
		const { custom: lineStyle, ...defaults } = fieldConfig.defaults;
		lines.push(`{ const panels: Panel = ${JSON.stringify(others)};`,
			`const panels_options: Partial<${panel.type}.Options> = ${JSON.stringify(options)};`,
			`const panels_fieldConfig_defaults: FieldConfig = ${JSON.stringify(defaults)};`,
			`const panels_fieldConfig_defaults_custom: ${custom} = ${JSON.stringify(lineStyle)};`,
			`const panels_fieldConfig: NonNullable<Panel["fieldConfig"]> = ${JSON.stringify({ ...fieldConfig, defaults: {} })};`,
			`const more: Panel = ${JSON.stringify({ type: panel.type, transformations })};`);
		for (const target of targets) {
			const { refId, datasource } = target;
			lines.push(`{ const panels_targets: DataQuery = ${JSON.stringify({ refId, datasource })}; }`);
		}
		lines.push("}");
	}
	return lines.join("\n");
}

// Text constants are what JSON has where the schema has an enum of texts
function texts(text) {
	return text.replace(/(export )?declare enum (\w+) \{([^}]*)\}/g, (whole, exported = "", name, members) => {
		const values = [...members.matchAll(/=\s*("[^"]*")/g)].map((match) => match[1]);
		return values.length ? `${exported}declare const ${name}: any; ${exported}type ${name} = ${values.join(" | ")};` : whole;
	});
}

// The type that a key is declared in; of a panel's options, with the panel's name
function nameOf(declaration) {
	let node = declaration.parent;
	while (node && !node.name)
		node = node.parent;
	if (!node)
		return null;
	// two of one name are numbered where all of the schema's types are put together
	const name = node.name.text.replace(/\$\d+$/, "");
	const panel = /([A-Za-z]+)PanelCfg/.exec(path.basename(declaration.getSourceFile().fileName));
	return panel && name === "Options" ? `${panel[1]}Options` : name;
}

// Note the types of a literal's keys
function note(checker, node, above, found) {
	if (ts.isArrayLiteralExpression(node))
		node.elements.forEach((element) => note(checker, element, above, found));
	if (!ts.isObjectLiteralExpression(node))
		return;
	const type = checker.getContextualType(node);
	for (const property of node.properties) {
		const name = property.name.text;
		const key = above ? `${above}.${name}` : name;
		const known = type && checker.getPropertyOfType(checker.getNonNullableType(type), name);
		const owner = known && known.declarations && nameOf(known.declarations[0]);
		if (owner)
			found.set(key, (found.get(key) || new Set()).add(owner));
		note(checker, property.initializer, key, found);
	}
}

function main() {
	const files = process.argv.slice(3);
	const folder = path.join(TOP, "fleet", "grafana");
	if (!files.length)
		files.push(...fs.readdirSync(folder).map((name) => path.join(folder, name)));
	const programs = new Map(files.map((file) => [path.join(MODULES, path.basename(file) + ".ts"),
		source(JSON.parse(fs.readFileSync(file, "utf8")))]));
	const options = { strict: true, noEmit: true, skipLibCheck: true, types: [], lib: ["lib.es2022.d.ts"],
		target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
	const host = ts.createCompilerHost(options);
	const { readFile, fileExists } = host;
	host.fileExists = (name) => programs.has(name) || fileExists(name);
	host.readFile = (name) => programs.get(name) || readFile(name);
	host.getSourceFile = (name, version) => {
		const text = host.readFile(name);
		return text === undefined ? undefined : ts.createSourceFile(name, name.startsWith(SCHEMA) ? texts(text) : text, version);
	};
	const program = ts.createProgram([...programs.keys()], options, host);
	const complaints = ts.getPreEmitDiagnostics(program);
	for (const one of complaints) {
		const where = one.file ? `${path.basename(one.file.fileName)}: ` : "";
		const at = one.file ? one.file.text.slice(one.start, one.start + 60).split("\n")[0] : "";
		console.log(`${where}${ts.flattenDiagnosticMessageText(one.messageText, " ")}: ${at}`);
	}
	const checker = program.getTypeChecker(), found = new Map();
	for (const name of programs.keys()) {
		const visit = (node) => {
			if (ts.isVariableDeclaration(node) && node.initializer) {
				const above = { dashboard: "", more: "panels" }[node.name.text];
				note(checker, node.initializer, above === undefined ? node.name.text.replaceAll("_", ".") : above, found);
			}
			ts.forEachChild(node, visit);
		};
		visit(program.getSourceFile(name));
	}
	const listed = fs.readFileSync(path.join(TOP, "tests/data/fleet/panel-keys"), "utf8").split("\n");
	const said = new Map(listed.map((line) => line.split("\t")));
	let wrong = complaints.length;
	for (const [key, types] of [...found].sort()) {
		const type = [...types].sort().join(", ");
		console.log(`${key}\t${type}`);
		if (said.get(key) !== type) {
			console.log(`tests/data/fleet/panel-keys says ${said.get(key)}`);
			wrong++;
		}
	}
	process.exit(wrong ? 1 : 0);
}

main();
