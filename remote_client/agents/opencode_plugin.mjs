// Runs inside opencode, as a plugin of one session: tells our hook relay how its turns go, in the words of Claude
// Code's hooks, and hands back what a permission request is answered. Never gets in opencode's way.
// SEMO_RELAY is the relay's command line without the event's name, as JSON.

import { spawn } from "node:child_process"

const relay = JSON.parse(process.env.SEMO_RELAY ?? "[]")
const PERMISSION_SECONDS = "86400"

/** Starts the relay. `answer` is what it printed, once it has ended. */
function start(name, body, ...options) {
  const child = spawn(relay[0], [...relay.slice(1), name, ...options], { stdio: ["pipe", "pipe", "ignore"] })
  let said = ""
  child.stdout.on("data", (data) => { said += data })
  child.stdin.on("error", () => {})
  child.stdin.end(JSON.stringify(body))
  const answer = new Promise((resolve) => {
    child.on("error", () => resolve(""))
    child.on("close", () => resolve(said))
  })
  return { child, answer }
}

const tell = (name, body) => start(name, body).answer
const textOf = (parts) => parts.filter((part) => part.type === "text").map((part) => part.text ?? "").join("\n")

export const Semo = async ({ client }) => {
  if (relay.length === 0) return {}
  const turns = new Map() // by session: the prompt it works on, and the error it met
  const asked = new Map() // by permission request: the relay that waits for its answer
  let heard = Promise.resolve()

  /** One after the other, in the order in which they happened; an opencode that has changed tells less. */
  function next(step) {
    heard = heard.then(step).catch(() => {})
  }

  async function parentOf(sessionID) {
    const { data } = await client.session.get({ path: { id: sessionID } })
    return data?.parentID
  }

  async function rootOf(sessionID) {
    const parent = await parentOf(sessionID)
    return parent ? rootOf(parent) : sessionID
  }

  async function ask({ id, sessionID, permission, patterns, metadata }) {
    const body = { session_id: await rootOf(sessionID), tool_name: permission, tool_input: { patterns, ...metadata } }
    const { child, answer } = start("PermissionRequest", body, "--wait", "--timeout", PERMISSION_SECONDS)
    asked.set(id, child)
    answer.then(async (said) => {
      const behavior = said && JSON.parse(said).hookSpecificOutput?.decision?.behavior
      const response = { allow: "once", deny: "reject" }[behavior]
      if (!response || !asked.has(id)) return // a person answers on the screen
      await client.postSessionIdPermissionsPermissionId({ path: { id: sessionID, permissionID: id }, body: { response } })
    }).catch(() => {})
  }

  async function answered({ requestID, permissionID, sessionID }) {
    const id = requestID ?? permissionID
    asked.get(id)?.kill()
    asked.delete(id)
    await tell("PostToolUse", { session_id: await rootOf(sessionID) })
  }

  /** It is told to be idle more than once: what it said since the prompt shows whether this turn is meant. */
  async function rest(sessionID) {
    const turn = turns.get(sessionID)
    if (!turn) return
    const { data } = await client.session.messages({ path: { id: sessionID } })
    const from = data.findIndex((message) => message.info.id === turn.prompt)
    const last = from < 0 ? undefined : data.slice(from + 1).findLast((message) => message.info.role === "assistant")
    const error = last?.info.error ?? turn.error
    if (!error && !last?.info.time.completed) return
    turns.delete(sessionID)
    const session = { session_id: sessionID }
    // Where a tool was its last word, somebody refused it.
    if (error?.name === "MessageAbortedError" || (!error && last.info.finish === "tool-calls")) {
      await tell("Interrupt", session)
    } else if (error) {
      const words = error.data?.message ?? ""
      await tell("StopFailure", { ...session, error: error.name ?? "unknown", last_assistant_message: words })
    } else {
      await tell("Stop", { ...session, last_assistant_message: textOf(last.parts) })
    }
  }

  async function hear({ type, properties }) {
    const { sessionID, error } = properties ?? {}
    if (type === "permission.asked") await ask(properties)
    else if (type === "permission.replied") await answered(properties)
    else if (type === "session.error" && turns.has(sessionID)) turns.get(sessionID).error = error ?? {}
    else if (type === "session.idle") await rest(sessionID)
  }

  next(() => tell("SessionStart", {}))
  return {
    event: async ({ event }) => next(() => hear(event)),
    "chat.message": async ({ sessionID }, { message, parts }) => {
      const prompt = textOf(parts)
      next(async () => {
        if (await parentOf(sessionID)) return // a sub-agent's
        turns.set(sessionID, { prompt: message.id })
        await tell("UserPromptSubmit", { session_id: sessionID, prompt })
      })
    },
  }
}
