// Pictures to go through: those of the server's folder, or of a folder of this computer.

export class Pictures {
  constructor(backend) {
    this.backend = backend;
    /** [{name, saved, savedEarlier, ofServer, blob()}]; earlier: before this page was opened */
    this.list = [];
    this.index = 0;
  }

  get length() {
    return this.list.length;
  }

  get current() {
    return this.list[this.index];
  }

  async ofServer() {
    const { pictures } = (await this.backend.folder?.()) ?? { pictures: [] };
    this.list = pictures.map(({ name, saved }) => ({
      name,
      saved,
      savedEarlier: saved,
      ofServer: true,
      blob: () => this.backend.picture(name),
    }));
    this.index = 0;
  }

  ofFiles(files) {
    const pictures = [...files].filter(({ type, name }) => type.startsWith("image/") && !name.startsWith("."));
    pictures.sort((one, other) => one.name.localeCompare(other.name));
    this.list = pictures.map((file) => ({ name: file.name, saved: false, ofServer: false, blob: async () => file }));
    this.index = 0;
  }

  /** The picture of an index, or the nearest one that there is. */
  go(index) {
    this.index = Math.min(Math.max(index, 0), this.list.length - 1);
    return this.current;
  }
}
