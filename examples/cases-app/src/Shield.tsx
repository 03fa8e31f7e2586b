// Says what went wrong instead of a page, and lets people try again.

import { Component, type ReactNode } from "react";
import { Trouble } from "./environment";

type Props = { children: ReactNode; onBadKey: () => void; onRetry: () => void };

export class Shield extends Component<Props, { error: Error | null }> {
  override state = { error: null as Error | null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    const isKey = error instanceof Trouble && error.status === 401;
    return (
      <div role="alert">
        <p>{error.message}</p>
        {isKey ? (
          <button type="button" onClick={this.props.onBadKey}>
            Use another key
          </button>
        ) : (
          <button type="button" onClick={this.props.onRetry}>
            Try again
          </button>
        )}
      </div>
    );
  }
}
