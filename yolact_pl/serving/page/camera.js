// Frames of the browser's camera, one at a time: the next is taken when the last one has been answered.

const LONGEST_SIDE = 1280;
const QUALITY = 0.92;

export class Camera {
  /**
   * @param analyze (blob) to a promise of a Result, or null for a frame to be skipped
   * @param show (picture, result, {latency, rate}): milliseconds from the frame to its result, frames a second
   */
  constructor(analyze, show) {
    this.analyze = analyze;
    this.show = show;
    this.stream = null;
  }

  get running() {
    return this.stream !== null;
  }

  /** Runs until `stop`, or until an error, which is thrown. */
  async start() {
    if (!navigator.mediaDevices) throw new Error("browsers give the camera to localhost and https pages only");
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: LONGEST_SIDE }, audio: false });
    } catch (error) {
      throw new Error(`the camera cannot be used: ${error.message || error.name}`);
    }
    const video = document.createElement("video");
    video.muted = video.playsInline = true;
    video.srcObject = this.stream;
    try {
      await video.play();
      let last = performance.now();
      let interval = null;
      while (this.stream) {
        const taken = performance.now();
        const picture = frame(video);
        const blob = await new Promise((done) => picture.toBlob(done, "image/jpeg", QUALITY));
        const result = await this.analyze(blob);
        const now = performance.now();
        interval = interval === null ? now - last : 0.8 * interval + 0.2 * (now - last);
        last = now;
        if (this.stream && result) this.show(picture, result, { latency: now - taken, rate: 1000 / interval });
        await new Promise(requestAnimationFrame);
      }
    } finally {
      this.stop();
    }
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
  }
}

function frame(video) {
  const scale = Math.min(LONGEST_SIDE / Math.max(video.videoWidth, video.videoHeight), 1);
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas;
}
