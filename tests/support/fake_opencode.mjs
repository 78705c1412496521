// Behaves like opencode 1.18 towards its plugins and its terminal; what it is told to load is real.
// A prompt chooses what happens: "FAILS" an error, "SLOW" goes on until Escape was pressed twice, "TOUCHES" asks whether
// it may run a command, "DELEGATES" has a sub-agent ask, "LATE" is told to be idle once more for the turn before, and
// else an answer; "SAYS" says the marker. With --deaf it loads no plugin, like one that looks for them elsewhere.

if (process.argv.includes("--version")) {
  console.log("1.18.33")
  process.exit(0)
}
const config = JSON.parse(process.env.OPENCODE_CONFIG_CONTENT)
const sessionID = "ses_1"
const childID = "ses_2"
const parents = new Map([[childID, sessionID]])
const messages = []
const hooks = []
let answerPermission = () => {}
const client = {
  session: {
    get: async ({ path }) => ({ data: { id: path.id, parentID: parents.get(path.id) } }),
    messages: async ({ path }) => ({ data: messages.filter(({ info }) => info.sessionID === path.id) }),
  },
  postSessionIdPermissionsPermissionId: async ({ path, body }) => answerPermission(path.permissionID, body.response),
}
if (!process.argv.includes("--deaf")) {
  for (const url of config.plugin) {
    for (const plugin of Object.values(await import(url))) hooks.push(await plugin({ client }))
  }
}
const emit = (type, properties) => hooks.forEach((hook) => hook.event?.({ event: { type, properties } }))
const idle = (session) => emit("session.idle", { sessionID: session })
const moment = () => new Promise((resolve) => setTimeout(resolve, 100))

let numbers = 0
function add(session, role, text, info = {}) {
  const id = `msg_${++numbers}`
  const parts = [{ type: "text", text }]
  messages.push({ info: { id, role, sessionID: session, time: { created: numbers, completed: numbers }, ...info }, parts })
  return { message: messages.at(-1).info, parts }
}
async function take(session, text) {
  const given = add(session, "user", text)
  for (const hook of hooks) await hook["chat.message"]?.({ sessionID: session }, given)
}

function askPermission(session) {
  const id = `per_${++numbers}`
  const answered = new Promise((resolve) => {
    answerPermission = (requestID, response) => requestID === id && resolve(response)
  })
  emit("permission.asked", {
    id, sessionID: session, permission: "bash", patterns: ["touch made.txt"], metadata: { command: "touch made.txt" },
  })
  paint("△ Permission required", "  # touch made.txt")
  return answered.then((response) => {
    emit("permission.replied", { sessionID: session, requestID: id, reply: response })
    return response
  })
}

async function work(text) {
  const words = text.includes("SAYS") ? "All good.\n[SEMO:DONE]" : "That is all."
  if (text.includes("FAILS")) {
    emit("session.error", { sessionID, error: { name: "APIError", data: { message: "made up" } } })
  } else if (text.includes("DELEGATES")) {
    await take(childID, "TOUCHES for another")
    await askPermission(childID)
    add(childID, "assistant", "[SEMO:DONE]", { finish: "stop" })
    idle(childID)
    await moment()
    add(sessionID, "assistant", words, { finish: "stop" })
  } else if (text.includes("TOUCHES")) {
    const allowed = await askPermission(sessionID) === "once"
    add(sessionID, "assistant", "Let me do that.", { finish: "tool-calls" })
    if (allowed) add(sessionID, "assistant", words, { finish: "stop" })
  } else {
    if (text.includes("LATE")) {
      idle(sessionID)
      await moment()
    }
    add(sessionID, "assistant", words, { finish: "stop" })
  }
  paint(`  ┃  ${text.replaceAll("\n", " ")}`, "     All good.", "     SEMO:DONE")
  idle(sessionID)
  idle(sessionID)
}

function stop() {
  paint("     [SEMO:DONE]") // what was said before, painted again
  emit("session.error", { sessionID, error: { name: "MessageAbortedError", data: { message: "Aborted" } } })
  add(sessionID, "assistant", "Working on", { error: { name: "MessageAbortedError" } })
  idle(sessionID)
}

function paint(...lines) {
  process.stdout.write(`\x1b[2J\x1b[H${[...lines, "  ctrl+p commands"].join("\r\n")}`)
}

let typed = ""
let escapes = 0
process.stdin.setRawMode(true)
paint("  ┃  Ask anything…")
process.stdin.on("data", async (data) => {
  if (data.toString() === "\x1b") {
    if (++escapes === 2) stop()
    return
  }
  typed += data.toString()
  if (!typed.endsWith("\r")) return
  const text = typed.match(/\x1b\[200~(.*)\x1b\[201~/s)?.[1]
  typed = ""
  if (text === undefined) return answerPermission(`per_${numbers}`, "once")
  escapes = 0
  paint(`  ┃  ${text.replaceAll("\n", " ")}`)
  await take(sessionID, text)
  if (!text.includes("SLOW")) await work(text)
})
