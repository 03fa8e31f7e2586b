import { Suspense, useEffect, useMemo, useRef, useState } from "react";
import { RelayEnvironmentProvider } from "react-relay";
import { CasePage } from "./CasePage";
import { CasesPage } from "./CasesPage";
import { environmentWith } from "./environment";
import { KeyForm } from "./KeyForm";
import { forgetKey, knownKey, rememberKey } from "./key";
import { NewCasePage } from "./NewCasePage";
import { pathTo, usePlace, type Place } from "./router";
import { Shield } from "./Shield";

const TITLES = { cases: "Cases", case: "Case", new: "New case" };

export function App() {
  const [key, setKey] = useState(knownKey);
  const place = usePlace();

  function enter(given: string) {
    rememberKey(given);
    setKey(given);
  }

  function leave() {
    forgetKey();
    setKey("");
  }

  if (key === "") return <KeyForm onEnter={enter} />;
  return (
    <>
      <header>
        <a href={pathTo({ name: "cases" })}>Cases</a>
        <a href={pathTo({ name: "new" })}>New case</a>
        <button type="button" onClick={leave}>
          Use another key
        </button>
      </header>
      <Pages key={key} apiKey={key} place={place} onBadKey={leave} />
    </>
  );
}

type PagesProps = { apiKey: string; place: Place; onBadKey: () => void };

function Pages({ apiKey, place, onBadKey }: PagesProps) {
  // Relay remembers that a query has failed: to try again takes an environment without a memory.
  const [attempt, setAttempt] = useState(0);
  const environment = useMemo(() => environmentWith(apiKey), [apiKey, attempt]);
  const main = useRef<HTMLElement>(null);
  const where = pathTo(place);
  const first = useRef(true);

  // A new place is announced and begins at its top, as a page that is loaded does.
  useEffect(() => {
    document.title = TITLES[place.name];
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [where, place.name]);

  return (
    <RelayEnvironmentProvider environment={environment}>
      <main ref={main} tabIndex={-1}>
        <Shield
          key={`${where} ${attempt}`}
          onBadKey={onBadKey}
          onRetry={() => setAttempt(attempt + 1)}
        >
          <Suspense fallback={<p role="status">Loading …</p>}>
            {place.name === "cases" && <CasesPage />}
            {place.name === "case" && <CasePage id={place.id} />}
            {place.name === "new" && <NewCasePage />}
          </Suspense>
        </Shield>
      </main>
    </RelayEnvironmentProvider>
  );
}
