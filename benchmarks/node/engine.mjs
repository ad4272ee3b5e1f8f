// json-rules-engine in a process of its own. First line: {tables, work}; then "fired" or "time" a line, one answer a line.
// tables: concern -> rules, each a list of words; work: assessments, each a list of [concern, words that hold].
import { createInterface } from 'node:readline'
import { Engine } from 'json-rules-engine'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const { tables, work } = JSON.parse((await lines.next()).value)
const engines = {}, read = {}
for (const [concern, rules] of Object.entries(tables)) {
  engines[concern] = new Engine([], { allowUndefinedFacts: true })
  read[concern] = new Set(rules.flat())
  rules.forEach((words, number) => engines[concern].addRule({
    conditions: { all: words.map((fact) => ({ fact, operator: 'equal', value: true })) },
    event: { type: 'fired', params: { number } },
  }))
}

async function assess (asked) {
  const fired = []
  for (const [concern, held] of asked) {
    const facts = {}
    for (const word of held) if (read[concern].has(word)) facts[word] = true
    const { events } = await engines[concern].run(facts)
    fired.push(events.map((event) => event.params.number))
  }
  return fired
}

process.stdout.write('ready\n')
for await (const line of lines) {
  const start = process.cpuUsage()
  const fired = []
  for (const asked of work) fired.push(await assess(asked))
  const { user, system } = process.cpuUsage(start)
  process.stdout.write((line === 'fired' ? JSON.stringify(fired) : String((user + system) / work.length)) + '\n')
}
