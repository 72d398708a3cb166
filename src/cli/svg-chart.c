/* SPDX-License-Identifier: Apache-2.0 */
/* See svg-chart.h. Text is black or white as the reader's page wants it (prefers-color-scheme); the colours
 * of bars stand out on both. Lengths are in units of the picture.
 *
 *     title
 *     group
 *        name |#################      text
 *        name |##########             |      text
 */
#include "cli/svg-chart.h"

#include "base/str.h"

#define WIDTH        900
#define BARS_LEFT    130 /* x at which bars begin */
#define BARS_UNIT    420 /* width of a bar of length 1 */
#define LENGTH_MAX   1.15
#define TITLE_HEIGHT 44
#define GROUP_HEIGHT 30
#define BAR_HEIGHT   20 /* height with the gap to the next bar */

static bool begins_group(const struct chart_bar bars[], size_t i)
{
    return i == 0 || !streq(bars[i].group, bars[i - 1].group);
}

static unsigned height(const struct chart_bar bars[], size_t n)
{
    unsigned y = TITLE_HEIGHT + BAR_HEIGHT;
    for (size_t i = 0; i < n; i++)
        y += BAR_HEIGHT + (begins_group(bars, i) ? GROUP_HEIGHT : 0);
    return y;
}

/* Escapes the text for XML. */
static void write_text(FILE *file, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", file);
            break;
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        case '"':
            fputs("&quot;", file);
            break;
        default:
            fputc((unsigned char)*text < ' ' ? '?' : *text, file);
        }
}

static void write_label(FILE *file, const char *class, unsigned x, unsigned y, const char *text)
{
    fprintf(file, "<text class=\"%s\" x=\"%u\" y=\"%u\">", class, x, y);
    write_text(file, text);
    fputs("</text>\n", file);
}

static void write_bar(FILE *file, const struct chart_bar *bar, unsigned y)
{
    double length = bar->length > 0 ? bar->length : 0;
    unsigned width = (unsigned)((length < LENGTH_MAX ? length : LENGTH_MAX) * BARS_UNIT);
    write_label(file, "name", BARS_LEFT - 8, y + 12, bar->name);
    fprintf(file, "<rect x=\"%d\" y=\"%u\" width=\"%u\" height=\"%d\" rx=\"2\" fill=\"", BARS_LEFT, y,
            width ? width : 1, BAR_HEIGHT - 5);
    write_text(file, bar->colour);
    fputs("\"/>\n", file);
    write_label(file, "text", BARS_LEFT + width + 6, y + 12, bar->text);
}

static void write_head(FILE *file, const char *title, unsigned total)
{
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\" "
            "role=\"img\">\n<title>",
            WIDTH, total, WIDTH, total);
    write_text(file, title);
    fputs("</title>\n<style>\n"
          "text { font: 12px sans-serif; fill: #1c1f24; }\n"
          ".title { font-size: 15px; font-weight: bold; }\n"
          ".group { font-weight: bold; }\n"
          ".name { text-anchor: end; }\n"
          ".line { stroke: #8a8f98; stroke-dasharray: 3 3; }\n"
          ".text { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }\n"
          ".page { fill: #ffffff; }\n"
          "@media (prefers-color-scheme: dark) {\n"
          "text { fill: #e6e8eb; } .text { stroke: #15181d; } .page { fill: #15181d; }\n"
          "}\n"
          "</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
          file);
    write_label(file, "title", 16, 28, title);
}

int chart_write(FILE *file, const char *title, const struct chart_bar bars[], size_t n, struct error *e)
{
    unsigned total = height(bars, n), y = TITLE_HEIGHT;
    write_head(file, title, total);
    fprintf(file, "<line class=\"line\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%u\"/>\n", BARS_LEFT + BARS_UNIT,
            BARS_LEFT + BARS_UNIT, TITLE_HEIGHT, total - BAR_HEIGHT / 2);
    for (size_t i = 0; i < n; i++) {
        if (begins_group(bars, i)) {
            y += GROUP_HEIGHT;
            write_label(file, "group", 16, y - 8, bars[i].group);
        }
        write_bar(file, &bars[i], y);
        y += BAR_HEIGHT;
    }
    fputs("</svg>\n", file);
    return ferror(file) ? error_set(e, -EIO, "chart: cannot be written: %m") : 0;
}
