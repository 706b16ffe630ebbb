import { useEffect, useState } from "react";

import { BACKEND_URL, directInfo } from "./api.js";

const LABELS = { pending: "Calling…", success: "Succeeded", failure: "Failed" };

// Calls the backend directly, without the dev server's proxy. This works only if
// the backend allows this page's origin.
export default function DirectCall() {
  const [result, setResult] = useState({ state: "pending" });

  async function call() {
    setResult({ state: "pending" });
    try {
      setResult({ state: "success", info: await directInfo() });
    } catch (problem) {
      setResult({ state: "failure", message: problem.message });
    }
  }

  useEffect(() => {
    call();
  }, []);

  return (
    <section className="card direct" data-testid="direct-call" data-state={result.state}>
      <header>
        <h2>Direct call</h2>
        <span className="badge" role="status" data-testid="direct-call-status">
          {LABELS[result.state]}
        </span>
        <button onClick={call} data-testid="direct-call-button">
          Call again
        </button>
      </header>
      <p className="route">
        <code>{window.location.origin}</code> → <code>{BACKEND_URL ?? "unknown"}</code>
      </p>
      {result.state === "success" && <Info info={result.info} />}
      {result.state === "failure" && (
        <p className="error" data-testid="direct-call-error">
          {result.message}
        </p>
      )}
    </section>
  );
}

function Info({ info }) {
  const facts = {
    "Backend port": info.port ?? "unknown",
    Instance: info.instance ?? "none",
    Redis: info.redis ? "configured" : "not configured",
    Visits: info.visits ?? "not counted",
  };
  return (
    <dl className="facts" data-testid="direct-call-info">
      {Object.entries(facts).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
