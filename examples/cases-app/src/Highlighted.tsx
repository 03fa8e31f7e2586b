type Range = { readonly start: number; readonly end: number };

// A text in which a search was found. The places are in UTF-16 code units, as JavaScript counts.
export function Highlighted({ text, ranges }: { text: string; ranges: readonly Range[] }) {
  const parts = [];
  let at = 0;
  for (const { start, end } of ranges) {
    parts.push(text.slice(at, start), <mark key={start}>{text.slice(start, end)}</mark>);
    at = end;
  }
  return (
    <>
      {parts}
      {text.slice(at)}
    </>
  );
}
