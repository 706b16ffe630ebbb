// Two ways to reach the same backend.

// 1. Through the dev server: the page requests its own origin, and Vite forwards it.
async function viaProxy(path, options) {
  const response = await fetch(`/api${path}`, options);
  if (!response.ok) {
    throw new Error(`the backend responded with status ${response.status}`);
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

// 2. Across origins: the browser requests the backend directly. The backend's CORS
//    rules decide whether the page may read the response.
export const BACKEND_URL = import.meta.env.VITE_BACKEND_URL;

export async function directInfo() {
  if (!BACKEND_URL) {
    throw new Error("VITE_BACKEND_URL is not set");
  }
  const response = await fetch(`${BACKEND_URL}/api/info`);
  if (!response.ok) {
    throw new Error(`the backend responded with status ${response.status}`);
  }
  return response.json();
}
