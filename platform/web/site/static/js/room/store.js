/* The one place where state lives. Events go in through `dispatch`, the pure reducer makes the next state,
 * and views are told once per animation frame, however many events came in between: twenty people who start
 * and stop talking cost one render. A page in a background tab gets no frames, so it renders at most once a
 * second there (screen readers and the title still follow).
 */

export class Store {
  constructor(reduce, initial) {
    this.reduce = reduce;
    this.state = initial;
    this.renderers = [];
    this.watchers = [];
    this.waiting = false;
  }

  /** `watch(state, event, before)` runs at once for each event: for sound and announcements. */
  watch(listener) {
    this.watchers.push(listener);
  }

  /** `render(state)` runs once per frame after changes. */
  onRender(render) {
    this.renderers.push(render);
  }

  dispatch(event) {
    const before = this.state;
    this.state = this.reduce(before, event);
    for (const watcher of this.watchers) watcher(this.state, event, before);
    if (this.state !== before) this.schedule();
  }

  schedule() {
    if (this.waiting) return;
    this.waiting = true;
    const run = () => {
      this.waiting = false;
      for (const render of this.renderers) render(this.state);
    };
    if (document.hidden) setTimeout(run, 1000);
    else requestAnimationFrame(run);
  }
}
