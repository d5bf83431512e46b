import type { EndpointFigures } from "../telemetry/discovery.ts";

/** Counts the requests of one endpoint since it started. */
export class RequestCounts {
  #requests = 0;
  #errors = 0;
  #lastError: string | undefined;
  /** In nanoseconds. */
  #processingTime = 0;

  /** @param ms how long the request took; @param error its failure, if it failed */
  count(ms: number, error?: string): void {
    this.#requests++;
    this.#processingTime += Math.round(ms * 1_000_000);
    if (error === undefined) return;
    this.#errors++;
    this.#lastError = error;
  }

  /** @param data the service's own data about the endpoint */
  figures(data?: object): EndpointFigures {
    return {
      num_requests: this.#requests,
      num_errors: this.#errors,
      ...(this.#lastError === undefined ? {} : { last_error: this.#lastError }),
      processing_time: this.#processingTime,
      average_processing_time: this.#requests === 0 ? 0 : Math.round(this.#processingTime / this.#requests),
      ...(data === undefined ? {} : { data }),
    };
  }
}
