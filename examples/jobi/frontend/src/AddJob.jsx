import { useState } from "react";

const EMPTY = { title: "", company: "" };

export default function AddJob({ onAdd }) {
  const [draft, setDraft] = useState(EMPTY);
  const edit = (event) => setDraft({ ...draft, [event.target.name]: event.target.value });

  async function submit(event) {
    event.preventDefault();
    if (await onAdd(draft)) {
      setDraft(EMPTY);
    }
  }

  return (
    <form className="card add" onSubmit={submit} data-testid="add-job">
      <label>
        <span>Position</span>
        <input
          name="title"
          value={draft.title}
          onChange={edit}
          placeholder="Frontend engineer"
          maxLength={200}
          required
          autoComplete="off"
          data-testid="add-title"
        />
      </label>
      <label>
        <span>Company</span>
        <input
          name="company"
          value={draft.company}
          onChange={edit}
          placeholder="Northwind"
          maxLength={200}
          required
          autoComplete="off"
          data-testid="add-company"
        />
      </label>
      <button className="primary" data-testid="add-submit">
        Add job
      </button>
    </form>
  );
}
