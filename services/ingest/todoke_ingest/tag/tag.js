// Todoke's browser tag: tells the shop's own ingest what a visitor looks at (docs/browser-tag.md).
//
// An event is written down before it is sent and struck out once ingest has answered, so that a lost connection or a
// closed tab costs at most a repeat, which is recognised by the event's id. Plain ES2017, no dependency; lines that
// hold nothing but a comment are not served.
(function () {
  const script = document.currentScript || document.querySelector('script[data-key][src*="tag.js"]');
  const options = script.dataset;
  // Calls wait in line until the page can be read; a page may bring the line itself, to call before we are loaded.
  const line = window.todoke = window.todoke || function () {
    (line.q = line.q || []).push(arguments);
  };
  if (line.loaded) return;
  line.loaded = true;
  if ('respectGpc' in options && (navigator.globalPrivacyControl || navigator.doNotTrack == '1')) {
    window.todoke = function () {};
    return;
  }

  const COLLECT = new URL('v1/collect?key=' + encodeURIComponent(options.key), script.src).href;
  const VISITOR = 'todoke_visitor';
  const CUSTOMER = 'todoke_customer';
  const WAITING = 'todoke_waiting';
  const auto = options.auto != 'off';
  // 60 KB where each is Japanese: below the 64 KiB that ingest takes, and a beacon.
  const MAX_CHARACTERS = 2e4;
  const MAX_WAITING = 50;

  // Storage: the browser's, or this page's memory where the browser gives none or it is full.
  const memory = {};

  function get(name) {
    try {
      return name in memory ? memory[name] : localStorage.getItem(name);
    } catch (e) {
      return null;
    }
  }

  function set(name, value) {
    try {
      localStorage.setItem(name, value);
      delete memory[name];
    } catch (e) {
      memory[name] = value;
    }
  }

  // crypto.randomUUID is there over https alone; this is everywhere.
  function uuid() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = bytes[6] & 15 | 64;
    bytes[8] = bytes[8] & 63 | 128;
    const hex = Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  // The visitor: read again for every event, since another tab may have logged out meanwhile.
  function visitor() {
    let cookie;
    try {
      cookie = document.cookie.match(/(?:^|; )todoke_visitor=([\w-]{16,64})/);
    } catch (e) {}
    const id = cookie ? cookie[1] : get(VISITOR);
    return cookie && get(VISITOR) == id ? id : become(id || uuid());
  }

  function become(id) {
    set(VISITOR, id);
    try {
      // One that was set for this host alone, before data-domain was given, would be read first for ever.
      if (options.domain) document.cookie = VISITOR + '=; path=/; max-age=0';
      document.cookie = VISITOR + '=' + id + '; path=/; max-age=63072000; SameSite=Lax' +
        (options.domain ? '; domain=' + options.domain : '') + (location.protocol == 'https:' ? '; Secure' : '');
    } catch (e) {}
    return id;
  }

  function forget() {
    set(CUSTOMER, '');
    become(uuid());
  }

  // Sending.
  let timer = 0;
  let heldUntil = 0;
  let flying = [];

  function waiting() {
    try {
      return JSON.parse(get(WAITING)) || [];
    } catch (e) {
      return [];
    }
  }

  function add(type, data) {
    const one = { visitor: visitor(), event: { id: uuid(), type: type, time: Date.now(), data: data || {} } };
    if (JSON.stringify(one).length > MAX_CHARACTERS) throw type + ' is too large';
    set(WAITING, JSON.stringify(waiting().concat(one).slice(-MAX_WAITING)));
    timer = timer || setTimeout(send, 200);
  }

  // A batch is one visitor's: after a logout, what waits is still the one's before.
  function batch() {
    if (Date.now() < heldUntil) return [];
    const idle = waiting().filter((one) => !flying.includes(one.event.id));
    let size = 0;
    return idle.filter(
      (one) => one.visitor == idle[0].visitor && (size += JSON.stringify(one).length) <= MAX_CHARACTERS
    );
  }

  function bodyOf(ones) {
    return JSON.stringify({ visitor: ones[0].visitor, sent_at: Date.now(), events: ones.map((one) => one.event) });
  }

  // While the page lives: by fetch, whose answer can be read. Text, so that no preflight goes before it.
  function send() {
    timer = 0;
    const ones = batch();
    if (!ones.length) return;
    const ids = ones.map((one) => one.event.id);
    flying = flying.concat(ids);
    const body = bodyOf(ones);
    // What may outlive the page is 64 KiB for all requests together; one after another, long ones would be refused.
    fetch(COLLECT, { method: 'POST', body: body, keepalive: body.length < 5e3, credentials: 'omit' })
      .then((answer) => {
        if ([408, 429].includes(answer.status) || answer.status > 499) throw answer;
        set(WAITING, JSON.stringify(waiting().filter((one) => !ids.includes(one.event.id))));
        if (answer.status != 202) answer.text().then(warn);
        send();
      })
      .catch(() => {
        flying = flying.filter((id) => !ids.includes(id));
        heldUntil = Date.now() + 3e4;
        timer = timer || setTimeout(send, 3e4);
      });
  }

  // When the page goes: nobody will read the answer, so what is sent now stays written down for the next page.
  function leave() {
    for (let ones; (ones = batch()).length; ) {
      if (!navigator.sendBeacon || !navigator.sendBeacon(COLLECT, bodyOf(ones))) return send();
      flying = flying.concat(ones.map((one) => one.event.id));
    }
  }

  // Pages and products.
  let lastPage = '';
  let lastUrl = document.referrer;
  let seen = [];

  function here() {
    return location.origin + location.pathname + location.search;
  }

  function page(data) {
    const url = here();
    const told = { url: url, title: document.title, referrer: lastUrl.split(/[?#]/)[0] };
    lastPage = lastUrl = url;
    seen = [];
    add('page.viewed', Object.assign(told, data));
    if (auto) products();
  }

  function moved() {
    if (here() != lastPage) todoke('page');
  }

  // Once a page view, whether the page or a call tells of it: "viewed three times" is about visits.
  function product(data) {
    if (seen.includes(data.product_id)) return;
    seen.push(data.product_id);
    add('product.viewed', { product: Object.assign({ url: here() }, data) });
  }

  function products() {
    each('[data-todoke-product]', (one) => product(JSON.parse(one.dataset.todokeProduct)));
    if ('jsonld' in options) each('script[type="application/ld+json"]', (one) => described(JSON.parse(one.text)));
  }

  function each(selector, use) {
    document.querySelectorAll(selector).forEach((one) => {
      try {
        use(one);
      } catch (error) {
        warn(error);
      }
    });
  }

  function first(value) {
    return Array.isArray(value) ? value[0] : value;
  }

  // https://schema.org/Product, alone, in a list or in a @graph.
  function described(node) {
    if (Array.isArray(node)) return node.forEach(described);
    if (node['@graph']) described(node['@graph']);
    const id = node.sku || node.productID;
    if (![].concat(node['@type']).some((type) => /\bProduct$/.test(type)) || !id) return;
    const offer = first(node.offers) || {};
    const image = first(node.image) || {};
    product({
      product_id: String(id),
      name: node.name,
      price: parseFloat(String(offer.price || offer.lowPrice).replace(/,/g, '')) || undefined,
      image_url: image.url || image.contentUrl || (typeof image == 'string' ? image : undefined),
    });
  }

  const commands = {
    page: page,
    product: product,
    search: (query) => add('products.searched', { query: query }),
    cart: (cart) => add('cart.updated', cart),
    add: (item) => add('cart.item_added', { item: item }),
    remove: (item) => add('cart.item_removed', item),
    checkout: (data) => add('checkout.started', data),
    track: (name, data) => add('custom.' + name, data),
    // Another member on the same device is another visitor, even if nobody logged out.
    identify: (customer, proof) => {
      if (get(CUSTOMER) && get(CUSTOMER) != customer) forget();
      set(CUSTOMER, customer);
      add('customer.identified', Object.assign({ customer_id: String(customer) }, proof));
    },
    forget: forget,
    visitor: (tell) => {
      if (tell) tell(visitor());
      return visitor();
    },
  };

  function warn(told) {
    console.warn('todoke:', told);
  }

  // A shop's page never fails for the tag's sake.
  function todoke(command, one, two) {
    try {
      if (!commands.hasOwnProperty(command)) throw 'there is no call "' + command + '"';
      return commands[command](one, two);
    } catch (error) {
      warn(error);
    }
  }

  function start() {
    window.todoke = todoke;
    todoke.loaded = true;
    // Written again with every page, so that its two years (Chromium: 400 days) count from the last visit.
    become(visitor());
    if (auto) {
      todoke('page');
      const push = history.pushState;
      history.pushState = function () {
        push.apply(this, arguments);
        // The title of the new page is often set right after.
        setTimeout(moved, 50);
      };
      addEventListener('popstate', () => setTimeout(moved, 50));
      // A page that comes back out of the browser's back/forward cache is looked at again.
      addEventListener('pageshow', (event) => event.persisted && todoke('page'));
    }
    addEventListener('pagehide', leave);
    document.addEventListener('visibilitychange', () => document.visibilityState == 'hidden' && leave());
    addEventListener('online', () => {
      heldUntil = 0;
      send();
    });
    (line.q || []).forEach((call) => todoke.apply(null, call));
    send();
  }

  // Products stand in the page's text, and a page that is prepared in advance has not been looked at yet.
  if (document.prerendering) document.addEventListener('prerenderingchange', start, { once: true });
  else if (document.readyState == 'loading') document.addEventListener('DOMContentLoaded', start, { once: true });
  else start();
})();
