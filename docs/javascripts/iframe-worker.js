/* A browser starts no Worker for a page that it has read from a disk. The theme's search is one, so there
   it runs in a frame that nobody sees: the same messages, in the page's own thread. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.waiting = []
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      /* The worker's importScripts waits for nothing; a frame's scripts have to be waited for. */
      this.frame.srcdoc = `<script>
        var importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise((done, fail) => {
          const script = document.createElement("script")
          Object.assign(script, {src: url, onload: done, onerror: fail})
          document.head.append(script)
        })), Promise.resolve())
        var postMessage = data => parent.postMessage({fromFrame: true, data}, "*")
      </script><script src="${url}"></script>`
      this.frame.addEventListener("load", () => {
        this.loaded = true
        this.waiting.splice(0).forEach(data => this.postMessage(data))
      })
      addEventListener("message", event => {
        if (event.source === this.frame.contentWindow && event.data.fromFrame) {
          const answer = new MessageEvent("message", {data: event.data.data})
          this.dispatchEvent(answer)
          if (this.onmessage) this.onmessage(answer)
        }
      })
      document.body ? document.body.append(this.frame)
        : addEventListener("DOMContentLoaded", () => document.body.append(this.frame))
    }

    postMessage(data) {
      if (!this.loaded) return void this.waiting.push(data)
      /* Its postMessage is the one that answers. */
      this.frame.contentWindow.dispatchEvent(new MessageEvent("message", {data}))
    }

    terminate() {
      this.frame.remove()
    }
  }
}
