// The REST interface of task=serve.

import { Result } from "./result.js";

export class Server {
  constructor() {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    this.headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    /** Of the camera frames of this page. */
    this.stream = Math.random().toString(36).slice(2);
  }

  /** Classes and options of the model. */
  async model() {
    return (await this.request("model")).json();
  }

  /**
   * @param blob of an image file
   * @param live whether it is a frame of the camera, which a newer one may replace
   * @returns Result; null for a frame that was replaced
   */
  async analyze(blob, minScore, live) {
    const stream = live ? `&stream=${this.stream}` : "";
    const answer = await this.send(`analyze?min_score=${minScore}${stream}`, blob);
    if (live && answer.status === 409) return null;
    return Result.fromAnalysis(await (await checked(answer)).json());
  }

  /** {folder, pictures: [{name, saved}]}; folder is null where there is none. */
  async folder() {
    return (await this.request("folder")).json();
  }

  async picture(name) {
    return (await this.request(`folder/${encodeURIComponent(name)}`)).blob();
  }

  /** Write the objects of a picture of the folder: {file, pictures, annotations}. */
  async save(file_name, annotations) {
    const rows = annotations.map(({ category_id, segmentation, corrected }) => ({ category_id, segmentation, corrected }));
    const body = JSON.stringify({ file_name, annotations: rows });
    return (await checked(await this.send("save", body))).json();
  }

  send(path, body) {
    return this.fetch(path, { method: "POST", body });
  }

  async request(path) {
    return checked(await this.fetch(path));
  }

  async fetch(path, options = {}) {
    try {
      return await fetch(path, { ...options, headers: this.headers });
    } catch {
      throw new Error("the server does not answer: is it still running?");
    }
  }
}

async function checked(answer) {
  if (answer.ok) return answer;
  const { detail } = await answer.json().catch(() => ({ detail: `the server answered ${answer.status}` }));
  throw new Error(detail);
}
