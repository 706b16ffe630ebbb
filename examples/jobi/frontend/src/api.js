// Two ways to the same backend.

// 1. Through the dev server: the page asks its own origin, Vite passes it on.
async function viaProxy(path, options) {
  const response = await fetch(`/api${path}`, options);
  if (!response.ok) {
    throw new Error(`the backend answered ${response.status}`);
  }
  return response.status === 204 ? null : response.json();
}

function json(method, body) {
  return { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

export const listJobs = () => viaProxy("/jobs");
export const addJob = (job) => viaProxy("/jobs", json("POST", job));
export const setStatus = (id, status) => viaProxy(`/jobs/${id}`, json("PATCH", { status }));
export const deleteJob = (id) => viaProxy(`/jobs/${id}`, { method: "DELETE" });

// 2. Across origins: the browser asks the backend itself, and the backend's
//    CORS rules decide whether the page may read the answer.
export const BACKEND_URL = import.meta.env.VITE_BACKEND_URL;

export async function directInfo() {
  if (!BACKEND_URL) {
    throw new Error("VITE_BACKEND_URL is not set");
  }
  const response = await fetch(`${BACKEND_URL}/api/info`);
  if (!response.ok) {
    throw new Error(`the backend answered ${response.status}`);
  }
  return response.json();
}
