import { useEffect, useState } from "react";

import AddJob from "./AddJob.jsx";
import DirectCall from "./DirectCall.jsx";
import JobList from "./JobList.jsx";
import * as api from "./api.js";

export default function App() {
  const [jobs, setJobs] = useState(null); // null until the first response
  const [error, setError] = useState(null);

  // Runs an action, shows its error, and returns whether it succeeded.
  async function attempt(action) {
    try {
      await action();
      setError(null);
      return true;
    } catch (problem) {
      setError(problem.message);
      return false;
    }
  }

  useEffect(() => {
    attempt(async () => setJobs(await api.listJobs()));
  }, []);

  const add = (job) =>
    attempt(async () => {
      const added = await api.addJob(job);
      setJobs((before) => [added, ...(before ?? [])]);
    });

  const move = (id, status) =>
    attempt(async () => {
      const changed = await api.setStatus(id, status);
      setJobs((before) => before.map((job) => (job.id === id ? changed : job)));
    });

  const remove = (id) =>
    attempt(async () => {
      await api.deleteJob(id);
      setJobs((before) => before.filter((job) => job.id !== id));
    });

  return (
    <main className="page">
      <header className="masthead">
        <img src="/favicon.svg" alt="" width="44" height="44" />
        <div>
          <h1>Jobi</h1>
          <p data-testid="tagline">Every application, and where it stands.</p>
        </div>
      </header>

      <AddJob onAdd={add} />

      {error && (
        <p className="error" role="alert" data-testid="error">
          {error}
        </p>
      )}

      <JobList jobs={jobs} onMove={move} onRemove={remove} />
      <DirectCall />
    </main>
  );
}
