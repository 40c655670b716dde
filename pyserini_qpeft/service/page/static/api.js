// Requests to the server. Addresses are relative, so the page works behind a proxy under any path.
import { byId } from "./elements.js";

const KEY = "token";
let token = sessionStorage.getItem(KEY);

export class ServerError extends Error {}

export const about = () => request("page/about");
export const search = (body, signal) => request("page/search", body, signal);
export const score = (body, signal) => request("page/score", body, signal);
export const explain = (body, signal) => request("page/explain", body, signal);

async function request(path, body, signal) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  const options = { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal };
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server does not answer. Is it still running?");
  }
  if (response.status === 401 || response.status === 403) {
    await askForToken();
    return request(path, body, signal);
  }
  const answer = await response.json().catch(() => ({}));
  signal?.throwIfAborted();
  if (!response.ok) throw new ServerError(reason(response, answer));
  return answer;
}

function reason(response, answer) {
  if (response.status === 429) {
    const seconds = response.headers.get("Retry-After");
    return `The server is busy: try again in ${seconds ? `${seconds} s` : "a moment"}.`;
  }
  if (typeof answer.message === "string") return answer.message;
  return typeof answer.detail === "string" ? answer.detail : `The server answered with status ${response.status}.`;
}

let asking = null;

/** Asks once, however many requests wait for the token. */
function askForToken() {
  asking ??= new Promise((resolve) => {
    const dialog = byId("token-dialog");
    const field = byId("token");
    field.value = "";
    dialog.addEventListener("close", () => {
      asking = null;
      if (!field.value) return askForToken().then(resolve);
      token = field.value;
      sessionStorage.setItem(KEY, token);
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}
