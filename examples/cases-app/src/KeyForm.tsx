import { useState, type FormEvent } from "react";
import { cleaned } from "./key";

export function KeyForm({ onEnter }: { onEnter: (key: string) => void }) {
  const [text, setText] = useState("");

  function submit(event: FormEvent) {
    event.preventDefault();
    if (cleaned(text) !== "") onEnter(cleaned(text));
  }

  return (
    <main>
      <h1>Cases</h1>
      <form onSubmit={submit}>
        <label>
          API key
          <input
            type="password"
            autoComplete="off"
            autoFocus
            required
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <button type="submit">Open</button>
      </form>
      <p>
        Whoever runs the server makes one with <code>casegraph keys create "my browser"</code>. It
        stays in this tab and is gone when you close it.
      </p>
    </main>
  );
}
