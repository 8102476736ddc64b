// Screenshots as pixels, to be compared place by place.
import { inflateSync } from 'node:zlib';

/** A PNG as Chromium writes it (eight bits a channel, not interlaced): its size and its bytes, row by row. */
function pixels(png) {
  const width = png.readUInt32BE(16);
  const height = png.readUInt32BE(20);
  const channels = { 2: 3, 6: 4 }[png[25]];
  if (png[24] !== 8 || png[28] !== 0 || !channels) throw new Error('a screenshot of another kind');
  const data = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') data.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const raw = inflateSync(Buffer.concat(data));
  const stride = width * channels;
  const rows = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (stride + 1)];
    for (let x = 0; x < stride; x += 1) {
      const left = x >= channels ? rows[y * stride + x - channels] : 0;
      const up = y > 0 ? rows[(y - 1) * stride + x] : 0;
      const corner = x >= channels && y > 0 ? rows[(y - 1) * stride + x - channels] : 0;
      const guess = left + up - corner;
      const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
      const nearest = a <= b && a <= c ? left : b <= c ? up : corner;
      const add = [0, left, up, (left + up) >> 1, nearest][filter];
      rows[y * stride + x] = raw[y * (stride + 1) + 1 + x] + add;
    }
  }
  return { width, height, channels, rows };
}

/** Round corners are not drawn to the same shade twice; nobody sees less than this many steps of 255. */
const SHADE = 24;

/** How many pixels differ between two screenshots, those in `box` and on its edge left out. */
export function differing(one, other, box) {
  if (one.equals(other)) return 0;
  const [a, b] = [pixels(one), pixels(other)];
  if (a.width !== b.width || a.height !== b.height || a.channels !== b.channels) return Infinity;
  const [left, top] = [Math.floor(box.x) - 1, Math.floor(box.y) - 1];
  const [right, bottom] = [Math.ceil(box.x + box.width) + 1, Math.ceil(box.y + box.height) + 1];
  let count = 0;
  for (let y = 0; y < a.height; y += 1) {
    for (let x = 0; x < a.width; x += 1) {
      if (x >= left && x < right && y >= top && y < bottom) continue;
      const at = (y * a.width + x) * a.channels;
      for (let n = at; n < at + a.channels; n += 1) {
        if (Math.abs(a.rows[n] - b.rows[n]) > SHADE) {
          count += 1;
          break;
        }
      }
    }
  }
  return count;
}
