// Statuses that the backend accepts, in the order in which an application goes through them.
const STATUSES = {
  wishlist: "Wishlist",
  applied: "Applied",
  interview: "Interview",
  offer: "Offer",
  rejected: "Rejected",
};

const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export default function JobList({ jobs, onMove, onRemove }) {
  if (jobs === null) {
    return <p className="hint">Loading…</p>;
  }

  return (
    <section aria-label="Applications">
      <Summary jobs={jobs} />
      <ul className="jobs" data-testid="job-list">
        {jobs.map((job) => (
          <Job key={job.id} job={job} onMove={onMove} onRemove={onRemove} />
        ))}
      </ul>
      {jobs.length === 0 && (
        <p className="hint" data-testid="job-list-empty">
          Nothing here yet. Add the first one above.
        </p>
      )}
    </section>
  );
}

function Summary({ jobs }) {
  return (
    <dl className="summary">
      {Object.entries(STATUSES).map(([status, label]) => (
        <div key={status} data-status={status} data-testid={`count-${status}`}>
          <dd>{jobs.filter((job) => job.status === status).length}</dd>
          <dt>{label}</dt>
        </div>
      ))}
    </dl>
  );
}

function Job({ job, onMove, onRemove }) {
  return (
    <li className="card job" data-testid="job" data-status={job.status}>
      <div className="what">
        <strong data-testid="job-title">{job.title}</strong>
        <span>
          {job.company} · <time dateTime={job.created_at}>{day.format(new Date(job.created_at))}</time>
        </span>
      </div>
      <select
        value={job.status}
        onChange={(event) => onMove(job.id, event.target.value)}
        aria-label={`Status of ${job.title}`}
        data-testid="job-status"
      >
        {Object.entries(STATUSES).map(([status, label]) => (
          <option key={status} value={status}>
            {label}
          </option>
        ))}
      </select>
      <button
        className="remove"
        onClick={() => onRemove(job.id)}
        aria-label={`Remove ${job.title}`}
        data-testid="job-remove"
      >
        ×
      </button>
    </li>
  );
}
