import type { Constant, Expression, Item, Script, Statement } from '../../grammar/ast.ts'

/** The AST as short text: one line per item and statement, expressions with every pair of parentheses written out. */
export function summarise(script: Script): string {
  return script.items.flatMap(itemLines).join('\n')
}

function itemLines(item: Item): string[] {
  switch (item.type) {
    case 'global':
      return [`global ${item.name} = ${constant(item.value)}`]
    case 'custom-global':
      return [
        `custom ${item.group}${item.instance === null ? '' : `[${item.instance}]`}.${item.name} = ${constant(item.value)} ${text(item.description)}`,
      ]
    case 'listen':
      return [
        `listen ${address(item)} advertise ${item.advertisedHost}:${item.advertisedPort} name ${item.name}`,
      ]
    case 'alias':
      return [`alias ${address(item)}`]
    case 'socket':
      return [`socket ${item.attributes.map(({ name, value }) => `${name}=${value}`).join(' ')}`]
    case 'flags':
      return [`flags ${item.flags.map(({ name, number }) => `${name}:${number}`).join(' ')}`]
    case 'loadmodule':
      return [`loadmodule ${item.text}${item.evaluated ? ' evaluated' : ''}`]
    case 'loadpath':
    case 'cfgengine':
      return [`${item.type} ${item.text}`]
    case 'modparam':
      return [
        `modparam ${item.modules} ${item.name} = ${'kind' in item.value ? constant(item.value) : item.value.text}${item.evaluated ? ' evaluated' : ''}`,
      ]
    case 'route':
      return [
        `route ${item.kind} ${text(item.name)}`,
        ...indent(item.body.statements.flatMap(statementLines)),
      ]
  }
}

function address(socket: { transport: string | null; host: string; port: number }): string {
  return `${socket.transport} ${socket.host} ${socket.port}`
}

function constant({ kind, value }: Constant): string {
  return kind === 'string' ? text(String(value)) : `${value}${kind === 'word' ? ' (word)' : ''}`
}

function text(value: string): string {
  return JSON.stringify(value)
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}

export function statementLines(statement: Statement): string[] {
  switch (statement.type) {
    case 'block':
      return ['{', ...indent(statement.statements.flatMap(statementLines)), '}']
    case 'empty':
      return [';']
    case 'assignment':
    case 'call':
      return [summariseExpression(statement.type === 'call' ? statement.call : statement)]
    case 'if':
      return [
        `if ${summariseExpression(statement.condition)}`,
        ...indent(statementLines(statement.then)),
        ...(statement.otherwise === null ? [] : ['else', ...indent(statementLines(statement.otherwise))]),
      ]
    case 'while':
      return [`while ${summariseExpression(statement.condition)}`, ...indent(statementLines(statement.body))]
    case 'switch':
      return [
        `switch ${summariseExpression(statement.subject)}`,
        ...statement.cases.flatMap(({ label, statements }) => [
          label === null ? '  default' : `  case ${label.kind} ${label.value}`,
          ...indent(indent(statements.flatMap(statementLines))),
        ]),
      ]
    case 'break':
      return ['break']
    default:
      return [
        statement.value === null
          ? statement.type
          : `${statement.type} ${summariseExpression(statement.value)}`,
      ]
  }
}

export function summariseExpression(expression: Expression): string {
  switch (expression.type) {
    case 'number':
      return String(expression.value)
    case 'string':
      return text(expression.value)
    case 'variable':
      return expression.text
    case 'select':
      return `@${expression.text}`
    case 'word':
      return `<${expression.text}>`
    case 'function':
    case 'builtin':
      return `${expression.name}(${expression.args.map((argument) => (argument === null ? '' : summariseExpression(argument))).join(', ')})`
    case 'assignment':
      return `${expression.target.text} = ${summariseExpression(expression.value)}`
    case 'unary':
      return `(${expression.operator}${summariseExpression(expression.operand)})`
    case 'cast':
      return `(${expression.to} ${summariseExpression(expression.operand)})`
    case 'defined':
      return `(defined ${summariseExpression(expression.operand)})`
    case 'binary':
      return `(${summariseExpression(expression.left)} ${expression.operator} ${summariseExpression(expression.right)})`
    case 'condition': {
      const { operand } = expression
      const right = 'kind' in operand ? `${operand.kind} ${operand.text}` : summariseExpression(operand)
      return `[${expression.subject} ${expression.operator} ${right}]`
    }
  }
}
