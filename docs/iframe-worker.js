// Browsers start no workers for pages opened from the disk. There, a hidden frame does a worker's
// task: it loads the worker's script and passes messages both ways. Search needs it.
class DiskWorker extends EventTarget {
  constructor(url) {
    super();
    this.frame = document.createElement("iframe");
    this.frame.hidden = true;
    document.body.append(this.frame);
    this.inside = this.frame.contentWindow;
    this.inside.postMessage = (data) => this.tell(data);
    this.inside.importScripts = (...urls) => Promise.all(urls.map((one) => this.load(one)));
    this.ready = this.load(url);
  }

  load(url) {
    return new Promise((resolve, reject) => {
      const script = this.inside.document.createElement("script");
      Object.assign(script, { src: new URL(url, location.href), onload: resolve, onerror: reject });
      this.inside.document.body.append(script);
    });
  }

  tell(data) {
    const message = new MessageEvent("message", { data });
    this.dispatchEvent(message);
    this.onmessage?.(message);
  }

  postMessage(data) {
    this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })));
  }

  terminate() {
    this.frame.remove();
  }
}

if (location.protocol === "file:") window.Worker = DiskWorker;
