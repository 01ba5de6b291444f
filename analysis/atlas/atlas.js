// SPDX-License-Identifier: MIT
// The atlas: data/index.js calls atlasIndex, data/SUBJECT-LAYER.js calls atlasLayer when the layer is first shown.
// What is shown is in the address (#subject=..&layer=..&unit=..): every unit has a link.
// Names come from the results file: they are set as text, never as HTML.
'use strict';

const BATCH = 240; // units that join the grid at once
const STATUS = ['missing', 'done', 'failed'];
const STOPPED = ['', 'budget used', 'activation at its bound', 'target activation reached',
  'no improvement', 'wall time'];
const NO_PIXELS = 'The dataset\'s images are not part of this file: `meicensus natural ... --output natural.h5` ' +
  '(without --no-images) writes one with them.';
const KINDS = ['channel', 'neuron', 'class'];

const best = (row) => (row && row.best >= 0 ? row.runs[row.best] : null);
const descending = (value) => (a, b) => (value(b) ?? -Infinity) - (value(a) ?? -Infinity);
const SORTS = {
  channel: ['channel', () => 0],
  activation: ['activation, high first', descending((entry) => best(entry.row)?.activation)],
  entropy: ['class entropy, low first', descending((entry) => (entry.row.entropy === null ? null : -entry.row.entropy))],
  selectivity: ['class probability, high first', descending((entry) => entry.row.top_probability)],
  relative: ['activation / natural, high first', descending((entry) => entry.row.relative)],
};
const FILTERS = {
  all: ['all units', () => true],
  active: ['active', (row) => row.runs.some((run) => run.status === 1 && !run.silent)],
  silent: ['silent', (row) => row.runs.some((run) => run.silent)],
  saturated: ['saturated', (row) => row.runs.some((run) => run.saturated)],
  failed: ['failed', (row) => row.runs.some((run) => run.status === 2)],
  missing: ['missing', (row) => row.runs.some((run) => run.status === 0)],
};

let index = null;
let view = null; // what the address says
let entries = []; // units of the grid, sorted and filtered
let drawn = 0; // of these in the page
let gridKey = '';
const layers = new Map(); // 'SUBJECT-LAYER' -> promise of its data
const arrivals = new Map(); // 'SUBJECT-LAYER' -> what to call with them

/* ---- Elements ---- */

const byId = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function draw(tag, attributes, text = '') {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

function number(value) {
  if (value === null || value === undefined) return '–';
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}

/** One tile of a sheet of images, `size` pixels high and wide at most. */
function picture(sheet, tile, size, label) {
  const scale = size / Math.max(sheet.width, sheet.height);
  const onPage = tile % (sheet.columns * sheet.rows);
  const page = Math.floor(tile / (sheet.columns * sheet.rows));
  const left = (onPage % sheet.columns) * sheet.width, top = Math.floor(onPage / sheet.columns) * sheet.height;
  const element = make('div', {className: 'image', role: 'img', title: label, 'aria-label': label});
  Object.assign(element.style, {
    width: `${sheet.width * scale}px`, height: `${sheet.height * scale}px`,
    backgroundImage: `url("images/${sheet.name}-${page}.png")`,
    backgroundSize: `${sheet.columns * sheet.width * scale}px auto`,
    backgroundPosition: `${-left * scale}px ${-top * scale}px`,
  });
  return element;
}

function noPicture(word, size) {
  const element = make('div', {className: 'image none'}, word);
  Object.assign(element.style, {width: `${size}px`, height: `${size}px`});
  return element;
}

/** The MEI of a run of unit `place` of a layer. */
function mei(subject, group, layer, place, row, replicate, size) {
  const searched = index.subjects[subject].groups[group];
  const run = row && row.runs[replicate];
  if (!run || run.status !== 1) return noPicture(run ? STATUS[run.status] : 'not searched', size);
  if (!searched.sheet) return noPicture('no image', size);
  const sheet = {...searched.sheet, name: `${subject}-${group}-${layer}`};
  const label = `MEI found by ${searched.method} with ${searched.generator}, activation ${number(run.activation)}`;
  return picture(sheet, place * searched.replicates + replicate, size, label);
}

function flags(run) {
  if (!run || (!run.silent && !run.saturated)) return null;
  return make('span', {className: 'flag'}, run.silent ? 'silent' : 'saturated');
}

/* ---- Data ---- */

function atlasIndex(data) {
  index = data;
  byId('file').textContent = data.file;
  document.title = `MEI atlas of ${data.file}`;
  window.addEventListener('hashchange', show);
  show();
}

function atlasLayer(key, data) {
  arrivals.get(key)(data);
}

function load(subject, layer) {
  const key = `${subject}-${layer}`;
  if (!layers.has(key))
    layers.set(key, new Promise((resolve, reject) => {
      const file = `data/${key}.js`;
      arrivals.set(key, resolve);
      document.head.append(make('script', {
        src: file,
        onerror: () => reject(new Error(`${file} cannot be read: this page needs the whole folder it came in`)),
      }));
    }));
  return layers.get(key);
}

/* ---- The address ---- */

const place = (list, matches) => Math.max(0, list.findIndex(matches));

function readAddress() {
  const wanted = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const subject = place(index.subjects, (candidate) => candidate.name === wanted.subject);
  const {groups, layers: its} = index.subjects[subject];
  return {
    subject,
    group: place(groups, (group) => group.generator === wanted.generator && group.method === wanted.method),
    layer: place(its, (layer) => layer.label === wanted.layer),
    sort: Object.hasOwn(SORTS, wanted.sort) ? wanted.sort : 'channel',
    show: Object.hasOwn(FILTERS, wanted.show) ? wanted.show : 'all',
    unit: wanted.unit ?? null,
    replicate: wanted.replicate === undefined ? null : Number(wanted.replicate),
  };
}

/** The address of the view with these changes. */
function address(changes = {}) {
  const target = {...view, ...changes};
  const subject = index.subjects[target.subject], group = subject.groups[target.group];
  const words = {subject: subject.name, layer: subject.layers[target.layer].label};
  if (group) Object.assign(words, {generator: group.generator, method: group.method});
  if (target.sort !== 'channel') words.sort = target.sort;
  if (target.show !== 'all') words.show = target.show;
  if (target.unit !== null) words.unit = target.unit;
  if (target.unit !== null && target.replicate !== null) words.replicate = target.replicate;
  return `#${new URLSearchParams(words)}`;
}

function go(changes) {
  location.hash = address(changes);
}

/* ---- Controls ---- */

function fill(id, options, chosen) {
  byId(id).replaceChildren(...options.map(([value, text]) => make('option', {value}, text)));
  byId(id).value = String(chosen);
}

function fillControls() {
  const subject = index.subjects[view.subject];
  const named = (choices) => Object.entries(choices).map(([key, [text]]) => [key, text]);
  fill('subject', index.subjects.map(({name}, i) => [i, name]), view.subject);
  fill('group', subject.groups.map((group, i) => [i, `${group.generator}, ${group.method}`]), view.group);
  fill('layer', subject.layers.map(({label, units}, i) => [i, `${label} (${units[view.group] ?? 0})`]), view.layer);
  fill('sort', named(SORTS), view.sort);
  fill('show', named(FILTERS), view.show);
}

/** Another subject has groups and layers of its own: those of the same name are kept. */
function changeSubject(subject) {
  const words = new URLSearchParams(address().slice(1));
  words.set('subject', index.subjects[subject].name);
  location.hash = `#${words}`;
}

for (const id of ['group', 'layer', 'sort', 'show'])
  byId(id).addEventListener('change', (event) => {
    const value = event.target.value;
    const choice = id === 'group' || id === 'layer' ? Number(value) : value;
    go({[id]: choice, replicate: null, ...(id === 'layer' ? {unit: null} : {})});
  });
byId('subject').addEventListener('change', (event) => changeSubject(Number(event.target.value)));

/* ---- Grid ---- */

function listEntries(data) {
  const rows = data.groups[view.group] ?? [];
  const all = data.units.map((name, unit) => ({name, place: unit, row: rows[unit]})).filter((entry) => entry.row);
  const counts = Object.keys(FILTERS).slice(2)
    .map((key) => [key, all.filter((entry) => FILTERS[key][1](entry.row)).length])
    .filter(([, n]) => n > 0).map(([key, n]) => `${n} ${key}`);
  entries = all.filter((entry) => FILTERS[view.show][1](entry.row)).sort(SORTS[view.sort][1]);
  byId('summary').textContent = `${all.length} units${counts.length ? `: ${counts.join(', ')}` : ''}` +
    (entries.length < all.length ? `; ${entries.length} shown` : '') +
    (all.length === 0 ? ' of this layer were searched with this generator and method' : '');
}

function cell(entry) {
  const run = best(entry.row) ?? entry.row.runs[0];
  return make('button', {type: 'button', className: 'cell', 'data-unit': entry.name, onclick: () => go({unit: entry.name, replicate: null})},
    mei(view.subject, view.group, view.layer, entry.place, entry.row, Math.max(0, entry.row.best), 90),
    make('b', {}, unitName(entry.name)),
    make('span', {className: 'number'}, run.status === 1 ? number(run.activation) : STATUS[run.status]),
    flags(run));
}

function drawMore(least = 0) {
  while (drawn < entries.length && drawn < Math.max(least, 1)) {
    byId('grid').append(...entries.slice(drawn, drawn + BATCH).map(cell));
    drawn = Math.min(entries.length, drawn + BATCH);
  }
}

byId('grid').parentElement.addEventListener('scroll', (event) => {
  const {scrollTop, clientHeight, scrollHeight} = event.target;
  if (scrollTop + 2 * clientHeight > scrollHeight) drawMore(drawn + 1);
});

function drawGrid(data) {
  const key = [view.subject, view.group, view.layer, view.sort, view.show].join(' ');
  if (key === gridKey) return;
  gridKey = key;
  listEntries(data);
  drawn = 0;
  byId('grid').replaceChildren();
  byId('grid').parentElement.scrollTop = 0;
  drawMore();
}

function mark(name) {
  for (const old of document.querySelectorAll('.cell.chosen')) old.classList.remove('chosen');
  const at = entries.findIndex((entry) => entry.name === name);
  if (at < 0) return;
  drawMore(at + 1);
  byId('grid').children[at].classList.add('chosen');
  byId('grid').children[at].scrollIntoView({block: 'nearest'});
}

/* ---- One unit ---- */

function unitName(name) {
  const layer = index.subjects[view.subject].layers[view.layer];
  const classes = classNames();
  if (layer.kind === 2) return classes[Number(name)] ?? `class ${name}`;
  return layer.kind === 1 ? name.replace(',', ' @ ') : name;
}

function classNames() {
  return (index.subjects[view.subject].groups.find((group) => group.classes.length > 0) ?? {classes: []}).classes;
}

function facts(row, run) {
  const classes = index.subjects[view.subject].groups[view.group].classes;
  const mean = row.finished > 1 ? ` (mean of ${row.finished}: ${number(row.activation)})` : '';
  const list = [
    ['activation', run.status === 1 ? number(run.activation) + mean : STATUS[run.status]],
    ['of best natural', row.relative === null ? null : `${number(row.relative)} ×`],
    ['remark', run.silent ? 'silent: no query excited it' : run.saturated ? 'saturated: at its maximum' : null],
    ['class entropy', row.entropy === null ? null : number(row.entropy)],
    ['top class', row.top_class < 0 ? null : `${classes[row.top_class]} (${number(row.top_probability)})`],
    ['queries', run.status === 1 ? `${run.queries}, ${run.evaluations} of them new` : null],
    ['found at', run.status === 1 ? `query ${run.best_query}` : null],
    ['stopped', STOPPED[run.stop] || null],
    ['message', run.message || null],
  ];
  return make('dl', {}, ...list.filter(([, value]) => value !== null)
    .flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]));
}

function section(title, note, ...content) {
  return [make('h3', {}, `${title} `, make('small', {}, note)), ...content];
}

function searches(data, entry, chosen) {
  const cards = index.subjects[view.subject].groups.flatMap((group, place_of) => {
    const row = (data.groups[place_of] ?? [])[entry.place];
    return (row ? row.runs : []).map((run, replicate) => {
      const isChosen = place_of === view.group && replicate === chosen;
      return make('button', {type: 'button', className: isChosen ? 'card chosen' : 'card',
        'aria-pressed': String(isChosen), onclick: () => go({group: place_of, replicate})},
        mei(view.subject, place_of, view.layer, entry.place, row, replicate, 84),
        make('b', {title: group.method}, group.method), make('span', {}, group.generator),
        make('span', {className: 'number'}, run.status === 1 ? number(run.activation) : STATUS[run.status],
          group.replicates > 1 ? ` #${replicate}` : ''), flags(run));
    });
  });
  return cards.length < 2 ? [] : section('All searches of this unit', `${cards.length}`, make('div', {className: 'row'}, ...cards));
}

// Replicates that have to be unlike those before look for activation less closeness.
function convergence(run, group, replicate) {
  if (run.status !== 1 || run.history.length < 2) return [];
  const width = 420, height = 120, left = 44, bottom = 18, top = 8;
  const queries = group.history_queries, last = queries[queries.length - 1];
  const values = run.history.filter((_, i) => i % 2 === 1);
  const low = Math.min(0, ...values), high = Math.max(...values) > low ? Math.max(...values) : low + 1;
  const x = (query) => left + (width - left - 8) * Math.log(query) / Math.max(Math.log(last), 1e-9);
  const y = (value) => top + (height - top - bottom) * (1 - (value - low) / (high - low));
  let path = '';
  for (let i = 0; i < run.history.length; i += 2) {
    const px = x(queries[run.history[i]]).toFixed(1), py = y(run.history[i + 1]).toFixed(1);
    path += i === 0 ? `M${px},${py}` : `H${px}V${py}`;
  }
  const searched = group.chained && replicate > 0 ? 'best activation less closeness so far' : 'best activation so far';
  const label = `${searched}: from ${number(values[0])} to ${number(values[values.length - 1])} after ${run.best_query} queries`;
  const svg = draw('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label});
  svg.append(
    draw('path', {class: 'axis', d: `M${left},${top}V${height - bottom}H${width - 8}`}),
    draw('path', {class: 'curve', d: `${path}H${width - 8}`}),
    draw('text', {x: left - 4, y: y(high) + 4, 'text-anchor': 'end'}, number(high)),
    draw('text', {x: left - 4, y: y(low) + 4, 'text-anchor': 'end'}, number(low)),
    draw('text', {x: left, y: height - 4}, '1'),
    draw('text', {x: (left + width) / 2, y: height - 4, 'text-anchor': 'middle'}, group.shared ? 'images shown to all units (log)' : 'queries (log)'),
    draw('text', {x: width - 8, y: height - 4, 'text-anchor': 'end'}, String(last)));
  return section('Convergence', searched, svg);
}

function classProbabilities(run, group) {
  if (run.status !== 1 || run.classes.length === 0) return [];
  const note = group.trials > 0 ? `mean over ${group.trials} presentations, noise ${group.noise}` : 'shown once';
  const bars = run.classes.flatMap(([name, probability]) => {
    const bar = make('i');
    bar.style.width = `${100 * Math.min(1, probability)}%`;
    return [make('span', {}, group.classes[name]), bar, make('span', {className: 'number'}, number(probability))];
  });
  const trials = run.trials.length < 2 ? null :
    make('p', {className: 'number'}, `Activation in these presentations: ${number(Math.min(...run.trials))} to ${number(Math.max(...run.trials))}`);
  return section('Class probabilities', note, make('div', {className: 'bars'}, ...bars), ...(trials ? [trials] : []));
}

function natural(data, entry) {
  const {sheet, images} = index.subjects[view.subject].natural ?? {};
  const list = data.natural[entry.place];
  if (!list) return [];
  if (!sheet)
    return section('Most exciting dataset images', `of ${images}`, make('p', {}, NO_PIXELS));
  const names = classNames();
  const figures = list.map(([tile, image, label, activation]) => {
    const caption = names[label] ?? `image ${image}`;
    return make('figure', {title: `image ${image}`},
      tile < 0 ? noPicture('no pixels', 76) : picture(sheet, tile, 76, `dataset image ${image}, ${caption}`),
      make('figcaption', {}, caption, make('br'), number(activation)));
  });
  return section('Most exciting dataset images', `of ${images}`, make('div', {className: 'row'}, ...figures));
}

/** The same unit, generator and method in every subject. */
async function subjects(entry) {
  const here = index.subjects[view.subject], label = here.layers[view.layer].label, group = here.groups[view.group];
  const figures = await Promise.all(index.subjects.map(async (subject, i) => {
    const layer = subject.layers.findIndex((candidate) => candidate.label === label);
    const its = subject.groups.findIndex((one) => one.generator === group.generator && one.method === group.method);
    if (layer < 0 || its < 0) return null;
    const data = await load(i, layer);
    const unit = data.units.indexOf(entry.name), row = unit < 0 ? null : (data.groups[its] ?? [])[unit];
    if (!row) return null;
    const run = best(row);
    return make('button', {type: 'button', className: i === view.subject ? 'card chosen' : 'card', onclick: () => changeSubject(i)},
      mei(i, its, layer, unit, row, Math.max(0, row.best), 84), make('b', {title: subject.name}, subject.name),
      make('span', {className: 'number'}, run ? number(run.activation) : STATUS[row.runs[0].status]), flags(run));
  }));
  const found = figures.filter((figure) => figure !== null);
  return found.length < 2 ? [] : section('In every subject', 'same generator and method', make('div', {className: 'row'}, ...found));
}

function latent(run, group) {
  if (run.status !== 1) return [];
  return [make('details', {}, make('summary', {}, `Latent code (${run.latent.length} indices of ${group.latent_points})`),
    make('code', {}, run.latent.join(' ')))];
}

function navigation(at) {
  const step = (text, label, to) => make('button', {type: 'button', title: label, 'aria-label': label,
    disabled: !entries[to], onclick: () => go({unit: entries[to].name, replicate: null})}, text);
  return make('nav', {}, step('‹', 'previous unit (left arrow)', at - 1), step('›', 'next unit (right arrow)', at + 1),
    make('span', {}, at < 0 ? 'not in this list' : `${at + 1} of ${entries.length}`),
    make('a', {href: address(), title: 'copy the address of this link to show somebody the unit'}, 'link'),
    make('button', {type: 'button', 'aria-label': 'close (escape)', title: 'close (escape)', onclick: () => go({unit: null})}, '×'));
}

async function drawUnit(data) {
  const panel = byId('unit'), subject = index.subjects[view.subject], layer = subject.layers[view.layer];
  const unit = data.units.indexOf(view.unit), row = (data.groups[view.group] ?? [])[unit];
  panel.hidden = view.unit === null;
  mark(view.unit);
  if (view.unit === null) return;
  const title = make('h2', {}, `${layer.label}, ${KINDS[layer.kind]} ${unitName(view.unit)}`);
  const nav = navigation(entries.findIndex((entry) => entry.name === view.unit));
  if (!row) {
    panel.replaceChildren(nav, title, make('p', {}, 'This unit was not searched with this generator and method.'));
    return;
  }
  const entry = {name: view.unit, place: unit}, group = subject.groups[view.group];
  const replicate = row.runs[view.replicate] ? view.replicate : Math.max(0, row.best), run = row.runs[replicate];
  const drawnFor = view;
  const others = await subjects(entry);
  if (drawnFor !== view) return; // something else was asked for meanwhile
  panel.replaceChildren(nav, title,
    make('p', {}, `${subject.name}; generator ${group.generator}, method ${group.method}` +
      (group.replicates > 1 ? `, replicate ${replicate}` : '') + (group.minimise ? '; activation minimised' : '')),
    make('div', {className: 'top'}, mei(view.subject, view.group, view.layer, unit, row, replicate, 192), facts(row, run)),
    ...natural(data, entry), ...others, ...searches(data, entry, replicate), ...convergence(run, group, replicate),
    ...classProbabilities(run, group), ...latent(run, group));
  panel.scrollTop = 0;
}

/* ---- All ---- */

async function show() {
  view = readAddress();
  const asked = view;
  fillControls();
  try {
    const data = await load(view.subject, view.layer);
    if (asked !== view) return;
    drawGrid(data);
    await drawUnit(data);
  } catch (error) {
    byId('summary').textContent = error.message;
    console.error(error);
  }
}

document.addEventListener('keydown', (event) => {
  if (view === null || event.target.matches('select') || event.altKey || event.ctrlKey || event.metaKey) return;
  const columns = getComputedStyle(byId('grid')).gridTemplateColumns.split(' ').length;
  const steps = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns};
  const at = entries.findIndex((entry) => entry.name === view.unit);
  if (event.key === 'Escape' && view.unit !== null) go({unit: null});
  if (!(event.key in steps) || entries.length === 0) return;
  const to = entries[at < 0 ? 0 : at + steps[event.key]];
  event.preventDefault();
  if (to) go({unit: to.name, replicate: null});
});
